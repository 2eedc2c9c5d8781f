"""Alembic's entry: runs the migrations on the connection that service.ledger.schema hands over, inside its transaction."""

from alembic import context

from service.ledger.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata(), render_as_batch=False, transactional_ddl=False)
context.run_migrations()
