"""Alembic's environment: one connection, one transaction for all revisions, a lock so that two runs cannot meet."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url")
if url is None:
    raise RuntimeError("run migrations with `recio db migrate`: it sets the database's address")
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, version_table="schema_version", version_table_schema="public")
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(7203910)"))
        context.run_migrations()
