"""Configure Alembic to migrate over the connection that moodmirror.storage.database opened and locked."""

from alembic import context

from moodmirror.storage.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
