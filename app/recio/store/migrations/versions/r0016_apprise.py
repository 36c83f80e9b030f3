"""Targets of Apprise's services."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file beside this one."""
    sql = Path(__file__).with_name("0016_apprise.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    """Forward only: to go back, restore a backup."""
    raise RuntimeError("revision 0016 does not go back: restore a backup")
