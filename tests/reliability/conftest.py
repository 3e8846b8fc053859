"""Servers with limits of a second or less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.reliability.small import SHORT, Started, started


@pytest.fixture
def server() -> Iterator[Started]:
    with started(SHORT) as made:
        yield made


@pytest.fixture
def patient_server() -> Iterator[Started]:
    """One that closes nothing during a test."""
    with started(replace(SHORT, idle_seconds=30, request_seconds=30)) as made:
        yield made
