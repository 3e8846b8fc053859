"""The log as it is written, and the rule that under REQUIRE_ALL a skipped test is a failure."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cds_service import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log() -> Iterator[Lines]:
    """Every line written to the log."""
    stream = io.StringIO()
    logs.configure(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure(None)
    logging.captureWarnings(False)
    for handler in logging.getLogger().handlers[:]:
        if type(handler).__module__ == logs.__name__:
            logging.getLogger().removeHandler(handler)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if os.environ.get("REQUIRE_ALL") and skipped and exitstatus == 0:
        names = ", ".join(sorted({report.nodeid for report in skipped}))
        reporter.write_line(f"REQUIRE_ALL: {len(skipped)} skipped: {names}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
