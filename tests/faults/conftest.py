from tests.store.postgres import postgres

__all__ = ["postgres"]
