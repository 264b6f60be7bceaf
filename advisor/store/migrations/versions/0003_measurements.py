"""What real runs measured and somebody kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("level", sa.String(80), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("measurement", sa.Text, nullable=False),
        sa.Column("owner_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "level", name="pk_measurements"),
    )
    op.create_index("ix_measurements_kept_at", "measurements", ["kept_at"])


def downgrade() -> None:
    op.drop_table("measurements")
