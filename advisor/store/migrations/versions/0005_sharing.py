"""Who may read a frozen recommendation and who made it, and the tokens of programs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("snapshots") as table:
        # What is there was frozen for whoever has the link; so is what an older version adds meanwhile.
        table.add_column(sa.Column("visibility", sa.String(8), nullable=False, server_default="link"))
        table.add_column(sa.Column("maker", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_hash", "tokens", ["hash"])


def downgrade() -> None:
    op.drop_table("tokens")
    with op.batch_alter_table("snapshots") as table:
        table.drop_column("maker")
        table.drop_column("visibility")
