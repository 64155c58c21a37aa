"""Alembic's way in: runs the migrations on the connection the store hands over, in its transaction."""

from alembic import context

from gadfly.review._tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
