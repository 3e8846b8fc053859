"""What the command line promises: readable answers, one line for every error, the documented exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.__main__ import main
from tests.charts import TODAY, relapsed_b
from tests.test_assemble import registry
from tests.trust import token

HOOK = "/cds-services/relapsed-refractory-all"


def run(*args: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, list(args), input=stdin, env=env or {})


def fresh_token(audience: str) -> str:
    """A token of the registry's one site, made now."""
    now = time.time()
    return token(aud=audience, iat=now, exp=now + 300, jti=str(uuid.uuid4()))


def hook_request() -> dict[str, Any]:
    made = relapsed_b()
    return {
        "hook": "patient-view",
        "hookInstance": "6f1f8b1e-0000-4000-8000-000000000001",
        "context": {"userId": "Practitioner/example", "patientId": made.patient()["id"]},
        "prefetch": {key: json.loads(value) for key, value in made.prefetch().items()},
    }


def as_bundle(request: dict[str, Any]) -> dict[str, Any]:
    entries = [{"resource": request["prefetch"]["patient"]}]
    for key, value in request["prefetch"].items():
        if key != "patient" and value is not None:
            entries += value.get("entry", [])
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def test_a_hook_request_is_assessed_as_json() -> None:
    result = run("assess", "-", "--today", TODAY, stdin=json.dumps(hook_request()).encode())
    assert result.exit_code == 0
    assert json.loads(result.stdout)["classification"] == "relapsed"


def test_a_bundle_with_one_patient_gives_the_same_answer_as_the_hook_request() -> None:
    request = hook_request()
    by_hook = json.loads(run("assess", "-", "--today", TODAY, stdin=json.dumps(request).encode()).stdout)
    by_bundle = json.loads(run("assess", "-", "--today", TODAY, stdin=json.dumps(as_bundle(request)).encode()).stdout)
    for supplied in (by_hook, by_bundle):
        supplied.pop("not_provided")
    assert by_bundle == by_hook


def test_the_text_form_shows_the_answer_and_a_dated_timeline() -> None:
    result = run("assess", "-", "--today", TODAY, "--format", "text", stdin=json.dumps(hook_request()).encode())
    assert result.stdout.startswith("RELAPSED  (R7")
    assert "* 2026" in result.stdout
    assert "On the page and fitting" in result.stdout


def test_cards_prints_the_hook_response(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(hook_request()))
    result = run("cards", str(file), "--today", TODAY)
    assert json.loads(result.stdout)["cards"][0]["indicator"] == "info"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="not JSON"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b'{"resourceType": "Bundle", "entry": []}', id="a Bundle without a Patient"),
        pytest.param(
            b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "a"}},'
            b' {"resource": {"resourceType": "Patient", "id": "b"}}]}',
            id="a Bundle with two Patients",
        ),
    ],
)
def test_input_that_cannot_be_read_is_one_line_and_exit_code_two(body: bytes) -> None:
    result = run("assess", "-", stdin=body)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_named() -> None:
    result = run("assess", "/no/such/file.json")
    assert result.exit_code == 2
    assert "/no/such/file.json" in result.stderr


def test_check_says_how_many_codes_and_exits_zero() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "no fault" in result.stdout


def test_check_names_a_mistyped_setting_and_a_wrong_value_together() -> None:
    result = run("check", env={"CDS_TODAI": "2026-01-01", "CDS_MAX_BODY": "a lot"})
    assert result.exit_code == 1
    assert "CDS_TODAI" in result.stderr
    assert "CDS_MAX_BODY" in result.stderr


def test_a_sites_own_codes_are_read(tmp_path: Path) -> None:
    value_sets = tmp_path / "value_sets"
    value_sets.mkdir()
    site = {
        "resourceType": "ValueSet",
        "url": "https://hospital.example/ValueSet/marrow-blasts",
        "status": "active",
        "compose": {"include": [{"system": "urn:hospital:lab", "concept": [{"code": "BMBLAST"}]}]},
    }
    (value_sets / "lab.json").write_text(json.dumps(site))
    request = hook_request()
    text = json.dumps(request).replace("http://loinc.org", "urn:hospital:lab").replace("11150-0", "BMBLAST")
    with_codes = run("assess", "-", "--today", TODAY, stdin=text.encode(), env={"CDS_CARDS": str(tmp_path)})
    assert json.loads(with_codes.stdout)["rule"] == "R7"
    without = run("assess", "-", "--today", TODAY, stdin=text.encode())
    assert json.loads(without.stdout)["rule"] != "R7"


def test_a_sites_faulty_value_set_stops_every_command(tmp_path: Path) -> None:
    (tmp_path / "value_sets").mkdir()
    (tmp_path / "value_sets" / "bad.json").write_text('{"resourceType": "ValueSet"}')
    for command in (("check",), ("setup-sheet",)):
        result = run(*command, env={"CDS_CARDS": str(tmp_path)})
        assert result.exit_code == 1
        assert "bad.json" in result.stderr


@pytest.mark.parametrize("ehr", ["generic", "epic", "oracle"])
def test_the_set_up_sheet_names_every_key_and_address(ehr: str) -> None:
    sheet = run("setup-sheet", "--ehr", ehr).stdout
    for text in ("patient", "conditions", "observations", "/cds-services/relapsed-refractory-all/feedback", "scope"):
        assert text in sheet.replace("Scopes", "scope")


def test_the_set_up_sheet_says_when_its_addresses_are_those_of_a_demo() -> None:
    demo = run("setup-sheet")
    assert "CDS_BASE_URL is not set" in demo.stderr
    site = run("setup-sheet", env={"CDS_BASE_URL": "https://cds.example.org"})
    assert (site.stderr, "https://cds.example.org/cds-services" in site.stdout) == ("", True)


def test_production_mode_is_refused_in_words_until_its_callers_are_configured() -> None:
    result = run("serve", "--mode", "production")
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["CDS_CLIENTS", "CDS_BASE_URL"]


def test_check_says_who_may_call(tmp_path: Path) -> None:
    result = run("check", env={"CDS_CLIENTS": str(registry(tmp_path))})
    assert result.exit_code == 0
    assert "demo mode (CDS_MODE is not set; serve would choose production); may call: site, sandbox" in result.stdout


def test_check_names_what_is_wrong_in_the_registry(tmp_path: Path) -> None:
    result = run("check", env={"CDS_CLIENTS": str(registry(tmp_path, isuer="x", issuer=...))})
    assert result.exit_code == 1
    assert result.stderr.startswith("clients.toml: client.site.")
    assert "issuer" in result.stderr


def test_verify_jwt_explains_a_token_that_would_be_accepted(tmp_path: Path) -> None:
    made = fresh_token("https://cds.example.org" + HOOK)
    env = {"CDS_CLIENTS": str(registry(tmp_path)), "CDS_BASE_URL": "https://cds.example.org"}
    result = run("verify-jwt", "-", stdin=made.encode(), env=env)
    assert result.exit_code == 0
    assert "WRONG" not in result.stdout
    assert "ok     signature" in result.stdout
    assert made.rpartition(".")[2] not in result.stdout
    assert run("verify-jwt", "-", stdin=f"Bearer {made}".encode(), env=env).exit_code == 0


def test_verify_jwt_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    env = {"CDS_CLIENTS": str(registry(tmp_path)), "CDS_BASE_URL": "https://cds.example.org"}
    made = fresh_token("https://cds.example.org" + HOOK)
    result = run("verify-jwt", "-", "--path", "/cds-services", stdin=made.encode(), env=env)
    assert result.exit_code == 1
    assert "WRONG  aud:" in result.stdout
    assert run("verify-jwt", "-", stdin=b"canary", env=env).exit_code == 1


def test_demo_mode_listens_on_this_machine_only() -> None:
    result = run("serve", "--mode", "demo", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "127.0.0.1" in result.stderr


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answer(url: str, body: bytes | None = None, **headers: str) -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return bytes(response.read())


def _until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            _answer(url)
            return
        except OSError:
            continue
    raise AssertionError("the service did not start")


@contextmanager
def _served(folder: Path, *arguments: str, **environ: str) -> Iterator[tuple[str, Path]]:
    """The service in a process of its own, started in *folder*: its address, and the file its log goes to."""
    port, log = _free_port(), folder / "log"
    given = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environ}
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port), *arguments]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=given, stderr=file)
    try:
        _until_up(f"http://127.0.0.1:{port}/readyz", process)
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_serve_answers_the_hook_from_any_folder(tmp_path: Path) -> None:
    with _served(tmp_path, "--mode", "demo", CDS_TODAY=TODAY) as (base, log):
        body = json.dumps(hook_request()).encode()
        answer = json.loads(_answer(base + HOOK, body))
        assert answer["cards"][0]["links"][0]["url"] == f"{base}/about"
        assert b"Not reviewed by a clinician" in _answer(f"{base}/about")
    first, *addresses, line = log.read_text().splitlines()
    assert first.startswith("DEMO MODE")
    assert [each.split()[0] for each in addresses] == [f"{base}/", f"{base}/cds-services", f"{base}/fhir"]
    assert json.loads(line)["class"] == "relapsed"


def test_serve_in_production_answers_registered_callers_only(tmp_path: Path) -> None:
    environ = {
        "CDS_MODE": "production",
        "CDS_BASE_URL": "https://cds.example.org",
        "CDS_CLIENTS": str(registry(tmp_path)),
        "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/store.db",
    }
    body = json.dumps(hook_request()).encode()
    with _served(tmp_path, **environ) as (base, log):
        assert json.loads(log.read_text())["event"] == "started"
        bearer = f"Bearer {fresh_token('https://cds.example.org' + HOOK)}"
        assert json.loads(_answer(base + HOOK, body, Authorization=bearer))["cards"]
        for headers in ({}, {"Authorization": bearer}):
            with pytest.raises(urllib.error.HTTPError) as refused:
                _answer(base + HOOK, body, **headers)
            assert refused.value.code == 401
        assert b'cds_refused_tokens_total{reason="replayed"} 1.0' in _answer(f"{base}/metrics")
    with _served(tmp_path, **environ) as (base, _), pytest.raises(urllib.error.HTTPError) as again:
        _answer(base + HOOK, body, Authorization=bearer)
    assert again.value.code == 401


def _mapping(equivalence: str = "equivalent", target: str = "11150-0") -> dict[str, Any]:
    element = {"code": "BMBLAST", "target": [{"code": target, "equivalence": equivalence}]}
    group = {"source": "urn:hospital:lab", "target": "http://loinc.org", "element": [element]}
    return {"resourceType": "ConceptMap", "status": "active", "group": [group]}


def test_a_sites_concept_map_gives_its_local_codes_our_meaning(tmp_path: Path) -> None:
    (tmp_path / "concept_maps").mkdir()
    (tmp_path / "concept_maps" / "lab.json").write_text(json.dumps(_mapping()))
    text = json.dumps(hook_request()).replace("http://loinc.org", "urn:hospital:lab").replace("11150-0", "BMBLAST")
    result = run("assess", "-", "--today", TODAY, stdin=text.encode(), env={"CDS_CARDS": str(tmp_path)})
    assert json.loads(result.stdout)["rule"] == "R7"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(_mapping("wider"), "BMBLAST", id="a looser mapping"),
        pytest.param(_mapping(target="99999-9"), "99999-9", id="a target that is no code of ours"),
        pytest.param({"resourceType": "ConceptMap"}, "no FHIR ConceptMap", id="no ConceptMap"),
    ],
)
def test_a_concept_map_that_cannot_be_read_safely_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    (tmp_path / "concept_maps").mkdir()
    (tmp_path / "concept_maps" / "lab.json").write_text(json.dumps(content))
    result = run("check", env={"CDS_CARDS": str(tmp_path)})
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_site_folder_with_nothing_in_it_is_a_fault(tmp_path: Path) -> None:
    result = run("check", env={"CDS_CARDS": str(tmp_path)})
    assert result.exit_code == 1
    assert "value_sets/" in result.stderr


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with _served(tmp_path, "--mode", "demo") as (base, _):
        port = base.rpartition(":")[2]
        command = [sys.executable, "-m", "cds_service", "serve", "--mode", "demo", "--port", port]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        second = subprocess.run(
            command, cwd=tmp_path, env=environ, text=True, capture_output=True, timeout=30, check=False
        )
    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    assert second.stderr.splitlines()[-1].startswith(f"--host 127.0.0.1 --port {port}: ")
