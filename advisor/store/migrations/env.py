"""Runs the migrations on the connection that advisor.store.migrate holds with its lock."""

from alembic import context

from advisor.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot change a column in place
)
with context.begin_transaction():
    context.run_migrations()
