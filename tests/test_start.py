"""How the service starts: with what every call needs, and with nothing that only one page or caller needs."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.charts import TODAY, chart
from cds_service.collector import loading
from cds_service.evidence import MODELS, SELDOM, is_valid
from tests.test_assemble import SAFE, registry

ONE_PAGE = (
    "markdown_it",
    "nh3",
    "cds_service.sandbox.page_parts",
    "cds_service.report.page",
    "cds_service.report.queries",
)
ONE_COMMAND = ("rich", "cds_service.timeline_text", "cds_service.store.operations", "cds_service.trust.explain")
ONE_CALLER = ("cryptography", "jwt", "requests", "urllib3.connectionpool", "cds_service.ehr.fill")
ONE_DATABASE = ("alembic", "mako", "psycopg", "sqlalchemy.dialects.postgresql")
FEW_CHARTS = ("fhir.resources.R4B.conceptmap", *(f"fhir.resources.R4B.{kind.lower()}" for kind in SELDOM))

START = """
import sys
from cds_service.__main__ import _assembled, _checked, _listen
import cds_service.server
app, _ = _assembled(_checked(None, 2), "127.0.0.1", 8080)
if body := sys.stdin.buffer.read():
    headers = {"Content-Type": "application/json"}
    answer = app.test_client().post("/cds-services/relapsed-refractory-all", data=body, headers=headers)
    assert len(answer.get_json()["cards"]) == 1
print(*sys.modules, sep="\\n")
"""


def loaded(environ: dict[str, str], body: bytes = b"") -> set[str]:
    """The modules of a process that starts as ``serve`` does, and answers *body* if there is one."""
    settings = {name: text for name, text in os.environ.items() if not name.startswith(("CDS_", "COV_"))} | environ
    ended = subprocess.run([sys.executable, "-c", START], input=body, env=settings, capture_output=True, check=True)
    return set(ended.stdout.decode().split())


def test_what_one_page_command_caller_or_chart_needs_is_not_loaded_by_the_start(tmp_path: Path) -> None:
    environ = {"CDS_MODE": "demo", "CDS_TODAY": TODAY.isoformat(), "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}
    deferred = {*ONE_PAGE, *ONE_COMMAND, *ONE_CALLER, *ONE_DATABASE, *FEW_CHARTS}
    assert deferred & loaded(environ, chart(20)) == set()


def test_nor_does_a_database_that_is_up_to_date_need_what_migrates_it(tmp_path: Path) -> None:
    environ = {"CDS_MODE": "demo", "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}
    loaded(environ)
    assert {*ONE_DATABASE} & loaded(environ) == set()


def test_production_loads_nothing_of_the_demo(tmp_path: Path) -> None:
    environ = SAFE | {"CDS_CLIENTS": str(registry(tmp_path)), "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}
    demo = ("cds_service.sandbox.", "cds_service.report.")
    assert {name for name in loaded(environ) if name.startswith(demo)} == set()


def test_production_has_loaded_what_a_known_caller_needs_before_one_can_call(tmp_path: Path) -> None:
    keys_to_be_fetched = registry(tmp_path, jwks_file=..., jku="https://ehr.example.org/jwks.json")
    environ = SAFE | {"CDS_CLIENTS": str(keys_to_be_fetched), "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}
    assert {*ONE_CALLER} - loaded(environ) == set()


@pytest.mark.parametrize("kind", sorted(SELDOM))
def test_a_model_that_few_charts_need_judges_all_the_same(kind: str) -> None:
    assert not is_valid({"resourceType": kind, "status": ["no", "code"]})
    assert MODELS[kind].__self__.get_resource_type() == kind  # type: ignore[attr-defined]


def test_the_collector_rests_while_the_service_is_loaded_and_looks_through_none_of_it_later() -> None:
    before = gc.get_freeze_count()
    try:
        with loading():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_a_start_that_fails_leaves_the_collector_as_it_was() -> None:
    before = gc.get_freeze_count()
    with pytest.raises(SystemExit), loading():
        sys.exit(2)
    assert gc.isenabled()
    assert gc.get_freeze_count() == before
