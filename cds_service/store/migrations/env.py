"""Run by Alembic, on the connection :func:`cds_service.store.upgrade.upgrade` hands over."""

from alembic import context

from cds_service.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
