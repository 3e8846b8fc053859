"""Hostile requests by the hundred thousand: ``python -m tests.fuzz --help``; a slice runs with the tests."""
