"""The registry is read whole, or every fault of it is told: file, client, field, what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, random_serial_number

from cds_service.catalogue import load
from cds_service.outbound.address import parse_address
from cds_service.trust.clients import Client, FhirBase, RegistryError, insecure, load_registry, sandbox_client
from cds_service.trust.jwks import PinnedKeys
from cds_service.trust.registry_shape import did_you_mean
from cds_service.trust.sandbox import sandbox_keys
from cds_service.trust.tokens import verify
from tests.trust import AUDIENCE, NOW, claims, client, jwk, key_of, key_set, private_key, signed

EXAMPLES = Path(__file__).parents[2] / "docs" / "clients"
OURS = ("patient", "conditions", "observations")
JKU = "https://ehr.example.org/keys"
SITE = f'[client.site]\nissuer = "https://ehr.example.org"\njku = "{JKU}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.jwks.json").write_bytes(key_set(jwk("ES384"), jwk("RS384")))
    return tmp_path


def loaded(folder: Path, text: str) -> tuple[Client, ...]:
    (folder / "clients.toml").write_text(text, "utf-8")
    return load_registry(folder / "clients.toml", OURS)


def faults(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(RegistryError) as refused:
        loaded(folder, text)
    assert str(refused.value) == "\n".join(refused.value.faults)
    assert all(line.startswith("clients.toml: ") for line in refused.value.faults)
    return tuple(line.removeprefix("clients.toml: ") for line in refused.value.faults)


def fault(folder: Path, text: str) -> str:
    (line,) = faults(folder, text)
    return line


# What a good registry says.


def test_a_site_with_everything_said(folder: Path) -> None:
    (folder / "ca.pem").write_bytes(certificate())
    (site,) = loaded(
        folder,
        """
        [client.st-anna-1]
        issuer = "https://ehr.example.org/oauth"
        algorithms = ["RS384"]
        profile = "epic"
        replay = "warn"
        silent = true
        remember_days = 30
        tenants = ["t1", "t2"]
        jku = "https://ehr.example.org/keys?set=1"
        ca_file = "ca.pem"
        fhir = [{ base = "https://EHR.example.org:443/api/R4/", internal = true }, { base = "https://b.example" }]
        prefetch = { problems = "conditions", labs = "observations" }
        """,
    )
    assert site == Client(
        name="st-anna-1",
        issuer="https://ehr.example.org/oauth",
        algorithms=frozenset({"RS384"}),
        profile="epic",
        replay="warn",
        tenants=frozenset({"t1", "t2"}),
        keys=parse_address("https://ehr.example.org/keys?set=1"),
        jku="https://ehr.example.org/keys?set=1",
        fhir_bases=(
            FhirBase(parse_address("https://ehr.example.org/api/R4"), True),
            FhirBase(parse_address("https://b.example"), False),
        ),
        prefetch_names={"problems": "conditions", "labs": "observations"},
        ca_file=folder / "ca.pem",
        silent=True,
        remember_days=30,
    )


def test_a_site_with_the_least_said(folder: Path) -> None:
    (site,) = loaded(folder, '[client.site]\nissuer = "https://ehr.example.org"\njwks_file = "site.jwks.json"')
    assert (site.profile, site.replay, site.algorithms) == ("generic", "reject", {"RS384", "ES384"})
    assert isinstance(site.keys, PinnedKeys)
    assert set(site.keys.by_id) == {jwk("ES384")["kid"], jwk("RS384")["kid"]}
    assert (site.jku, site.fhir_bases, dict(site.prefetch_names), site.ca_file) == (None, (), {}, None)
    assert site.tenants == frozenset()
    assert (site.silent, site.remember_days) == (False, 0)


def test_an_empty_registry_lists_nobody(folder: Path) -> None:
    assert loaded(folder, "") == ()
    assert loaded(folder, "[client]") == ()


def test_two_sites_of_one_issuer_with_tenants_of_their_own(folder: Path) -> None:
    north, south = SITE.replace("site", "north"), SITE.replace("site", "south")
    sites = loaded(folder, f'{north}tenants = ["n"]\n{south}tenants = ["s"]\n')
    assert [site.name for site in sites] == ["north", "south"]


def test_the_sandbox_needs_no_key_as_its_own_is_built_in(folder: Path) -> None:
    (site,) = loaded(folder, '[client.box]\nissuer = "https://sandbox.cds-hooks.org"\nprofile = "sandbox"')
    assert site.keys == sandbox_keys()
    assert site.jku == "https://sandbox.cds-hooks.org/.well-known/jwks.json"


def test_a_sandbox_of_ones_own_is_pinned_like_any_site(folder: Path) -> None:
    text = '[client.box]\nissuer = "https://sandbox.cds-hooks.org"\nprofile = "sandbox"\njwks_file = "site.jwks.json"'
    (site,) = loaded(folder, text)
    header = {"alg": "ES384", "typ": "JWT", "kid": jwk("ES384")["kid"], "jku": sandbox_client().jku}
    sent = claims(iss=site.issuer, jti="a-b-c")
    text = signed(header, sent, private_key("ES384"), "ES384")
    assert verify(text, AUDIENCE, [site], key_of, NOW).token_id == "a-b-c"


def test_the_built_in_sandbox_client_has_the_keys_the_sandbox_publishes() -> None:
    keys = sandbox_client().keys
    assert isinstance(keys, PinnedKeys)
    assert len(keys.by_id) == 1
    assert dict(keys.by_id) == sandbox_keys().by_id


def test_the_built_in_sandbox_client_may_not_be_called_back() -> None:
    site = sandbox_client()
    assert (site.name, site.issuer, site.fhir_bases) == ("sandbox", "https://sandbox.cds-hooks.org", ())
    assert site.algorithms == {"ES384"}


@pytest.mark.parametrize("name", ["epic", "oracle", "sandbox"])
def test_every_worked_example_can_be_used_as_it_stands(name: str) -> None:
    sites = load_registry(EXAMPLES / f"{name}.toml", load().service.prefetch)
    assert {site.profile for site in sites} == {name}
    assert bool(insecure(sites)) == (name == "sandbox")


def test_there_is_a_worked_example_for_each_profile_with_one() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.toml")) == ["epic.toml", "oracle.toml", "sandbox.toml"]


# The file.


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"^nobody\.toml: cannot be read"):
        load_registry(tmp_path / "nobody.toml", OURS)


def test_a_registry_that_is_no_toml(folder: Path) -> None:
    assert fault(folder, "[client").startswith("is not TOML")


def test_a_registry_that_is_no_utf8(folder: Path) -> None:
    (folder / "clients.toml").write_bytes(b'[client.site]\nissuer = "\xff"')
    with pytest.raises(RegistryError, match="is not UTF-8"):
        load_registry(folder / "clients.toml", OURS)


# The form of each field.


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("clients = 1", "clients: is not a known field; did you mean client?"),
        ("zz = 1", "zz: is not a known field; known are client"),
        ("client = 1", "client: has the wrong type"),
        ("[client]\nsite = 1", "client.site: has the wrong type"),
        (SITE.replace("site", "St_Anna"), "client.St_Anna: is no name for this"),
        (SITE.replace("site", '"two words"'), 'client."two words": is no name for this'),
        (SITE.replace("site", "x" * 65), "client."),
        (f'[client.site]\njku = "{JKU}"', "client.site.issuer: is missing. Write the iss"),
        (SITE.replace("https://ehr.example.org", "a b", 1), "client.site.issuer: is empty, too long or has spaces"),
        (SITE.replace('"https://ehr.example.org"', "7", 1), "client.site.issuer: has the wrong type"),
        (SITE + "algorithm = 1", "client.site.algorithm: is not a known field; did you mean algorithms?"),
        (SITE + 'algorithms = ["RS385"]', "client.site.algorithms[0]: is not one of the values allowed (did you mean"),
        (SITE + 'algorithms = ["none"]', "client.site.algorithms[0]: is not one of the values allowed (known are"),
        (SITE + 'algorithms = ["HS256"]', "client.site.algorithms[0]: is not one of"),
        (SITE + "algorithms = []", "client.site.algorithms: is empty"),
        (SITE + 'algorithms = ["RS384", "RS384"]', "client.site.algorithms: has something twice"),
        (SITE + 'profile = "epik"', "client.site.profile: is not one of the values allowed (did you mean epic?)"),
        (SITE + "replay = true", "client.site.replay: is not one of the values allowed (known are reject, warn)"),
        (SITE + "tenants = []", "client.site.tenants: is empty"),
        (SITE + 'tenants = [""]', "client.site.tenants[0]: is empty"),
        (SITE + f'tenants = ["{"x" * 257}"]', "client.site.tenants[0]: is too long"),
        (SITE + 'fhir = ["https://a.example"]', "client.site.fhir[0]: has the wrong type"),
        (SITE + "fhir = [{ internal = true }]", "client.site.fhir[0].base: is missing"),
        (SITE + 'fhir = [{ base = "https://a.example", intern = true }]', "client.site.fhir[0].intern: is not a known"),
        (SITE + 'fhir = [{ base = "https://a.example", internal = 1 }]', "client.site.fhir[0].internal: has the wrong"),
        (SITE + "prefetch = { problems = 1 }", "client.site.prefetch.problems: has the wrong type"),
        (SITE + 'prefetch = { "" = "conditions" }', 'client.site.prefetch."": is no name for this'),
        (SITE + 'ca_file = ""', "client.site.ca_file: is empty"),
        (SITE + "jwks_file = 1", "client.site.jwks_file: has the wrong type"),
    ],
)
def test_each_fault_of_form_is_told_at_its_field_with_what_to_do(folder: Path, text: str, start: str) -> None:
    told = [line for line in faults(folder, text) if line.startswith(start)]
    assert len(told) == 1
    assert told[0].endswith((".", "?")) or "known are" in told[0]


# What the fields say.


@pytest.mark.parametrize(
    "ways", ["", f'jku = "{JKU}"\njwks_file = "site.jwks.json"', 'profile = "sandbox"\njku = 7\njwks_file = "a"']
)
def test_a_site_has_one_source_of_keys(folder: Path, ways: str) -> None:
    assert any(
        "client.site.jku: give either jku or jwks_file" in line
        for line in faults(folder, f'[client.site]\nissuer = "i"\n{ways}')
    )


def with_keys(folder: Path, document: bytes, more: str = "") -> tuple[str, ...]:
    (folder / "bad.json").write_bytes(document)
    return faults(folder, f'[client.site]\nissuer = "https://ehr.example.org"\njwks_file = "bad.json"\n{more}')


@pytest.mark.parametrize(
    ("document", "told"),
    [
        pytest.param(b"{}", "is not a JSON Web Key Set", id="no key set"),
        pytest.param(b"\xff", "is not well-formed JSON", id="no JSON"),
        pytest.param(key_set(), "has no key; pin at least one", id="no key"),
        pytest.param(b" " * 100_001, "is longer than 100,000 bytes", id="too long"),
        pytest.param(key_set(jwk("RS384", "a small one")), "keys[0]: is too small", id="a small key"),
        pytest.param(key_set(jwk("ES384", d="AA")), "keys[0]: holds a private", id="a private key"),
        pytest.param(key_set(jwk("ES384", use="enc")), "keys[0]: use: must be sig", id="another use"),
        pytest.param(key_set(jwk("ES384"), jwk("ES384")), "keys[1]: kid: another key", id="a name twice"),
        pytest.param(key_set(jwk("ES256")), "keys[0]: alg, kty, crv: no algorithm", id="an algorithm not allowed"),
    ],
)
def test_a_pinned_file_with_anything_wrong_is_refused(folder: Path, document: bytes, told: str) -> None:
    (line,) = with_keys(folder, document)
    assert line.startswith(f"client.site.jwks_file: {told}")


def test_every_bad_key_of_a_pinned_file_is_told(folder: Path) -> None:
    assert len(with_keys(folder, key_set(None, jwk("ES384", kid=7), jwk("RS384")))) == 2


@pytest.mark.parametrize("name", ["nothing.json", ".", "a\\u0000b"])
def test_a_file_that_cannot_be_read_is_told(folder: Path, name: str) -> None:
    line = fault(folder, f'[client.site]\nissuer = "i"\njwks_file = "{name}"')
    assert line == "client.site.jwks_file: cannot be read; check that it exists and who may read it"


def test_a_file_without_certificates_is_told(folder: Path) -> None:
    line = fault(folder, SITE + 'ca_file = "site.jwks.json"')
    assert line == "client.site.ca_file: holds no certificate that can be read; give PEM"


@pytest.mark.parametrize("address", ["ehr.example.org", "ftp://a.example", "https://a@b.example", "https://a\\\\b", ""])
def test_an_unsafe_address_is_told_and_not_repeated(folder: Path, address: str) -> None:
    jku = fault(folder, f'[client.site]\nissuer = "i"\njku = "{address}"')
    assert jku.startswith("client.site.jku: ")
    base = fault(folder, SITE + f'fhir = [{{ base = "{address}" }}]')
    assert base.startswith("client.site.fhir[0].base: ")
    assert not address or (address not in jku and address not in base)


def test_a_base_with_a_query_is_refused(folder: Path) -> None:
    assert "fhir[0].base: has a query" in fault(folder, SITE + 'fhir = [{ base = "https://a.example/fhir?x=1" }]')


def test_a_base_listed_twice_is_refused(folder: Path) -> None:
    twice = 'fhir = [{ base = "https://a.example/" }, { base = "https://A.example:443", internal = true }]'
    assert "fhir[1].base: is listed twice" in fault(folder, SITE + twice)


def test_a_prefetch_key_we_do_not_have_is_refused(folder: Path) -> None:
    line = fault(folder, SITE + 'prefetch = { problems = "condition" }')
    assert line.endswith("is not a prefetch key of this service; did you mean conditions?")


def test_two_names_for_one_of_our_prefetch_keys_are_refused(folder: Path) -> None:
    told = faults(folder, SITE + 'prefetch = { a = "conditions", b = "conditions", c = "observations" }')
    assert [line.partition(":")[0] for line in told] == ["client.site.prefetch.a", "client.site.prefetch.b"]


@pytest.mark.parametrize(
    ("north", "south"),
    [("", ""), ('tenants = ["a"]', ""), ("", 'tenants = ["a"]'), ('tenants = ["a"]', 'tenants = ["b", "a"]')],
)
def test_two_sites_of_one_issuer_must_be_told_apart(folder: Path, north: str, south: str) -> None:
    text = f"{SITE.replace('site', 'north')}{north}\n{SITE.replace('site', 'south')}{south}\n"
    assert fault(folder, text).startswith("client.south.issuer: is that of client.north too")


def test_all_faults_are_told_together_form_and_content(folder: Path) -> None:
    told = faults(
        folder,
        """
        [client.north]
        algorithm = "RS384"
        jku = "ftp://a.example"
        [client.south]
        issuer = "i"
        replay = "no"
        jwks_file = "nothing.json"
        fhir = [{ base = "https://a.example?" }, { base = "https://a.example#f" }]
        prefetch = { a = "zz" }
        """,
    )
    assert sorted(line.partition(": ")[0] for line in told) == [
        "client.north.algorithm",
        "client.north.issuer",
        "client.north.jku",
        "client.south.fhir[1].base",
        "client.south.jwks_file",
        "client.south.prefetch.a",
        "client.south.replay",
    ]


def test_a_near_name_is_suggested_and_else_all_are_listed() -> None:
    assert did_you_mean("conditoins", OURS) == "did you mean conditions?"
    assert did_you_mean("zz", OURS) == "known are conditions, observations, patient"


# What production refuses.


def only_insecure(site: Client) -> str:
    (line,) = insecure([site])
    return line


def test_production_needs_a_client() -> None:
    assert insecure([])[0].startswith("client: there is none")


def test_a_good_site_is_fit_for_production() -> None:
    base = FhirBase(parse_address("https://ehr.example.org/fhir"), True)
    assert insecure([client(fhir_bases=(base,)), client(keys=parse_address(JKU), jku=JKU)]) == []


def test_production_refuses_http() -> None:
    keys = parse_address("http://ehr.example.org/keys")
    base = FhirBase(parse_address("http://ehr.example.org/fhir"), True)
    assert only_insecure(client(keys=keys)).startswith("client.site.jku: ")
    assert only_insecure(client(fhir_bases=(base,))).startswith("client.site.fhir[0].base: ")


def test_production_refuses_the_sandbox() -> None:
    assert [line.partition(": ")[0] for line in insecure([sandbox_client()])] == [
        "client.sandbox.profile",
        "client.sandbox.jwks_file",
    ]
    assert only_insecure(client(profile="sandbox")).startswith("client.site.profile: ")


def test_production_refuses_the_sandboxs_key_under_another_name(folder: Path) -> None:
    official = next(iter(sandbox_keys().by_id.values())).key
    renamed: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(official, as_dict=True)
    (folder / "ours.json").write_text(json.dumps({"keys": [jwk("RS384"), renamed | {"kid": "ours"}]}))
    (site,) = loaded(folder, '[client.site]\nissuer = "https://ehr.example.org"\njwks_file = "ours.json"')
    assert only_insecure(site).startswith("client.site.jwks_file: holds the public sandbox's key")


def certificate() -> bytes:
    """Any certificate at all."""
    key, name = private_key("ES256"), Name([])
    begin = datetime.fromtimestamp(NOW, UTC)
    builder = CertificateBuilder(name, name, key.public_key(), random_serial_number(), begin, begin + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
