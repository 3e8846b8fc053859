"""Faults of the store, against real processes: full runs with ``python -m tests.faults``, small ones as tests."""
