"""The one Alembic chain: the only DDL of the database."""
