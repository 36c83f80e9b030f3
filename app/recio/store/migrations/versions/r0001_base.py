"""Base: every table of the desk. Rights are no part of a revision: recio.store.rights is applied after each migration."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all schemas, tables and views."""
    sql = Path(__file__).with_name("0001_base.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    """There is nothing before the base: restore a backup instead."""
    raise RuntimeError("revision 0001 is the first: to go back, restore a backup")
