"""The service under load and fault: full runs with ``python -m tests.reliability``, small ones as tests."""
