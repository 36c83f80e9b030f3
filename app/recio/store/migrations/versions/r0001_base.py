"""Base: every table of the desk and each service's rights on them."""

from pathlib import Path

from alembic import op

from recio.store.rights import grant_statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables, then grant."""
    sql = Path(__file__).with_name("0001_base.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
    for statement in grant_statements():
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """There is nothing before the base: restore a backup instead."""
    raise RuntimeError("revision 0001 is the first: to go back, restore a backup")
