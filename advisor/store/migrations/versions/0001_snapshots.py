"""Frozen recommendations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment),
        sa.Column("revoked_at", moment),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("app_version", sa.String(40), nullable=False),
        sa.Column("data_release", sa.String(80), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("prepared_for", sa.Text, nullable=False),
        sa.Column("company", sa.Text, nullable=False),
        sa.Column("logo", sa.LargeBinary),
        sa.Column("logo_kind", sa.String(8)),
        sa.Column("owner_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
    )
    op.create_index("ix_snapshots_owner_hash", "snapshots", ["owner_hash", "created_at"])
    op.create_index("ix_snapshots_expires_at", "snapshots", ["expires_at"])


def downgrade() -> None:
    op.drop_table("snapshots")
