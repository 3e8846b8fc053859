"""What must be right before the service starts, and everything that is wrong told together."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cds_service.assemble import Unfit, assemble, check, explain_token
from cds_service.lifecycle import Lifecycle
from cds_service.trust.jwks import PinnedKeys
from tests.ehr.bad_server import answer, serving
from tests.trust import ISSUER, jwk, key_set, token

SAFE = {"CDS_MODE": "production", "CDS_BASE_URL": "https://cds.example.org"}


SANDBOX = {"issuer": "https://sandbox.cds-hooks.org", "profile": "sandbox", "jwks_file": ...}


def registry(folder: Path, **changes: Any) -> Path:
    """A client registry with one site, whose keys are pinned beside it."""
    (folder / "site.jwks.json").write_bytes(key_set(jwk("ES384")))
    table = {"issuer": ISSUER, "jwks_file": "site.jwks.json"} | changes
    lines = [f"{name} = {toml(value)}" for name, value in table.items() if value is not ...]
    path = folder / "clients.toml"
    path.write_text("\n".join(["[client.site]", *lines]))
    return path


INTERNAL = {"base": "http://127.0.0.1/fhir", "internal": True}


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + " }"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def faults(**environ: str) -> list[str]:
    with pytest.raises(Unfit) as unfit:
        check(environ)
    return list(unfit.value.faults)


def test_production_starts_with_an_address_and_a_registry(tmp_path: Path) -> None:
    checked = check(SAFE | {"CDS_CLIENTS": str(registry(tmp_path)), "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"})
    assert [client.name for client in checked.clients] == ["site"]
    client = assemble(checked).test_client()
    assert client.get("/readyz").get_json()["status"] == "ready"
    assert client.post("/cds-services/relapsed-refractory-all", json={}).status_code == 401


def test_demo_mode_knows_the_official_sandbox(tmp_path: Path) -> None:
    assert [client.name for client in check({}, "demo").clients] == ["sandbox"]
    with_site = check({"CDS_CLIENTS": str(registry(tmp_path))}, "demo")
    assert [client.name for client in with_site.clients] == ["site", "sandbox"]


def test_a_table_of_the_sandbox_replaces_the_one_built_in(tmp_path: Path) -> None:
    own = registry(tmp_path, **SANDBOX)
    assert [client.name for client in check({"CDS_CLIENTS": str(own)}, "demo").clients] == ["site"]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        pytest.param(SANDBOX, "client.site.profile", id="the sandbox, whose private key is public"),
        pytest.param(
            {"fhir": [{"base": "http://ehr.example.org/fhir"}]}, "client.site.fhir[0].base", id="a plain FHIR base"
        ),
        pytest.param(
            {"jwks_file": ..., "jku": "http://ehr.example.org/jwks"}, "client.site.jku", id="keys over plain http"
        ),
    ],
)
def test_production_refuses_an_unsafe_registry_that_demo_mode_takes(
    tmp_path: Path, changes: dict[str, Any], names: str
) -> None:
    path = str(registry(tmp_path, **changes))
    assert check({"CDS_CLIENTS": path}, "demo").clients
    found = faults(**SAFE, CDS_CLIENTS=path)
    assert found[0].startswith(f"clients.toml: {names}")


def test_production_refuses_an_empty_registry(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    path.touch()
    (fault,) = faults(**SAFE, CDS_CLIENTS=str(path))
    assert "nobody may call" in fault


def test_faults_of_settings_registry_database_and_cards_are_told_together(tmp_path: Path) -> None:
    site = tmp_path / "cards"
    site.mkdir()
    found = faults(
        CDS_MODE="production",
        CDS_TODAY="2026-01-01",
        CDS_BASE_URL="http://cds.example.org",
        CDS_CLIENTS=str(registry(tmp_path, issuer=...)),
        CDS_DATABASE_URL="mysql://secret@db/cds",
        CDS_CARDS=str(site),
    )
    assert [fault.partition(":")[0] for fault in found] == [
        "CDS_BASE_URL",
        "CDS_TODAY",
        "CDS_DATABASE_URL",
        "cards",
        "clients.toml",
    ]
    assert not any("secret" in fault for fault in found)


def test_a_mapping_to_a_prefetch_key_we_do_not_have_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults(CDS_MODE="demo", CDS_CLIENTS=str(registry(tmp_path, prefetch={"problems": "condition"})))
    assert "client.site.prefetch" in fault
    assert "conditions" in fault


def test_the_service_starts_without_its_database_and_says_so(tmp_path: Path) -> None:
    environ = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/not-there/s.db"}
    client = assemble(check(environ, "demo")).test_client()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "degraded")
    assert client.get("/cds-services").status_code == 200


def test_readiness_turns_when_the_process_is_told_to_end(tmp_path: Path) -> None:
    environ = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}
    lifecycle = Lifecycle()
    client = assemble(check(environ, "demo"), lifecycle).test_client()
    assert client.get("/readyz").status_code == 200
    lifecycle.stop()
    assert client.get("/readyz").status_code == 503


def test_keys_are_fetched_from_the_registered_address_when_a_token_must_be_checked(tmp_path: Path) -> None:
    with serving(answer(key_set(jwk("ES384")), media="application/json")) as server:
        path = registry(tmp_path, jwks_file=..., jku=f"{server.base}/jwks", fhir=[INTERNAL])
        checked = check({"CDS_CLIENTS": str(path)}, "demo")
        assert not isinstance(checked.clients[0].keys, PinnedKeys)
        lines = explain_token(checked, token(), "/cds-services/rr-all")
        assert [visit.target for visit in server.visits] == ["/fhir/jwks"]
    assert any(line.split() == ["ok", "signature"] for line in lines)


def test_keys_that_cannot_be_fetched_refuse_the_token(tmp_path: Path) -> None:
    with serving(answer(b"", "500 Internal Server Error")) as server:
        path = registry(tmp_path, jwks_file=..., jku=f"{server.base}/jwks", fhir=[INTERNAL])
        lines = explain_token(check({"CDS_CLIENTS": str(path)}, "demo"), token(), "/cds-services/rr-all")
    assert any(line.startswith("WRONG") and "alg, kid" in line for line in lines)


def test_demo_mode_serves_the_stories_as_a_fhir_server_and_production_does_not(tmp_path: Path) -> None:
    store = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}
    demo = assemble(check(store, "demo")).test_client()
    assert demo.get("/fhir/metadata").get_json()["resourceType"] == "CapabilityStatement"
    production = assemble(check(SAFE | store | {"CDS_CLIENTS": str(registry(tmp_path))})).test_client()
    report = demo.get("/report")
    assert (report.status_code, report.headers["Cache-Control"]) == (200, "no-store")
    assert "default-src 'none'" in report.headers["Content-Security-Policy"]
    for path in ("/", "/report", "/fhir/metadata", "/fhir/Patient"):
        assert production.get(path).status_code == 404


def test_the_report_says_that_the_database_is_away() -> None:
    client = assemble(check({"CDS_DATABASE_URL": "sqlite:////nowhere/at/all/s.db"}, "demo")).test_client()
    assert client.get("/report").status_code == 503


def test_a_card_shown_on_the_testers_page_is_in_the_ledger_so_that_feedback_on_it_counts(tmp_path: Path) -> None:
    app = assemble(check({"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db"}, "demo"))
    assert app.test_client().get("/?story=g01-first-marrow-relapse").status_code == 200
    app.extensions["cds_service"].books.close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        assert connection.execute("SELECT client, display FROM issued_card").fetchall() == [("none", "shown")]


def test_a_form_longer_than_a_body_may_be_is_413(tmp_path: Path) -> None:
    environ = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/s.db", "CDS_MAX_BODY": "1024"}
    client = assemble(check(environ, "demo")).test_client()
    refused = client.post("/fhir/Condition/_search", data={"patient": "x" * 2000})
    assert refused.status_code == 413
    assert refused.get_json()["issue"][0]["code"] == "too-long"
