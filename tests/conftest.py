"""Under REQUIRE_ALL a skipped test is a failure: what was not run was not shown."""

from __future__ import annotations

import os

import pytest


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if os.environ.get("REQUIRE_ALL") and skipped and exitstatus == 0:
        names = ", ".join(sorted({report.nodeid for report in skipped}))
        reporter.write_line(f"REQUIRE_ALL: {len(skipped)} skipped: {names}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
