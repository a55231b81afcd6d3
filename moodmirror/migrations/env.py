"""What Alembic runs to bring the tables up to date, over the connection that moodmirror.database opened and locked."""

from alembic import context

from moodmirror.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
