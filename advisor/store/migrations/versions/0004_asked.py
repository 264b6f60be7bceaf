"""What llama.cpp answered to whom, and when a run was begun."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asked",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("owner_hash", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("level", sa.String(80), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", "owner_hash", name="pk_asked"),
    )
    op.create_index("ix_asked_asked_at", "asked", ["asked_at"])
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("started_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    with op.batch_alter_table("runs") as table:
        table.drop_column("started_at")
    op.drop_table("asked")
