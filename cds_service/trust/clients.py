"""The registry: one table of ``clients.toml`` per EHR site, read and checked whole when the service starts."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from cds_service.outbound.address import Address, UnsafeAddress, parse_address
from cds_service.trust import sandbox
from cds_service.trust.jwks import MAX_KEY_SET, NotAKeySet, PinnedKeys, read_key_set
from cds_service.trust.registry_shape import ShapeFault, did_you_mean, shape_faults

DEFAULT_ALGORITHMS = ("RS384", "ES384")
"""What CDS Hooks recommends."""
MAX_CERTIFICATES = 1 << 20
"""Bytes a file of certificates may have."""


@dataclass(frozen=True)
class FhirBase:
    """A FHIR server we may call. *internal*: it may be at a private address."""

    address: Address
    internal: bool


@dataclass(frozen=True)
class Client:
    """One EHR site, as its table in the registry describes it."""

    name: str
    """The table's name: what the audit and the metrics call this caller."""
    issuer: str
    algorithms: frozenset[str]
    profile: str
    """generic, epic, oracle or sandbox."""
    replay: str
    """reject or warn: what a token seen before leads to."""
    tenants: frozenset[str]
    """Empty: any tenant, or none."""
    keys: PinnedKeys | Address
    """The keys, or the one address they are fetched from."""
    jku: str | None
    """The text a token's jku must equal, when both are there."""
    fhir_bases: tuple[FhirBase, ...]
    prefetch_names: Mapping[str, str]
    """The site's name of a prefetch key -> ours."""
    ca_file: Path | None
    """The authority that the site's FHIR servers and its jku are checked against, in place of the public ones."""
    silent: bool = False
    """Going live: calls are assessed, counted and logged, and no card is returned."""
    remember_days: int = 0
    """For so many days an answered card is not shown again while nothing that decided it has changed."""


class RegistryError(Exception):
    """The service must not start. *faults* has a line for each: file, client, field, and what to do."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_registry(path: Path, prefetch_keys: Collection[str]) -> tuple[Client, ...]:
    """The clients in the TOML file *path*; *prefetch_keys* are ours. Raises :class:`RegistryError`."""
    document = _toml(path)
    shape = list(shape_faults(document))
    tables = list(_tables(document, shape, path.parent))
    clients = [table.client(prefetch_keys) for table in tables]
    faults = [fault.text for fault in shape]
    faults += [fault for table in tables for fault in table.faults]
    faults += _shared_issuers(tables)
    if faults:
        raise RegistryError(tuple(f"{path.name}: {fault}" for fault in faults))
    return tuple(client for client in clients if client is not None)


def sandbox_client() -> Client:
    """The official sandbox, for demo mode. It may not be called back."""
    return Client(
        name="sandbox",
        issuer=sandbox.ISSUER,
        algorithms=sandbox.ALGORITHMS,
        profile="sandbox",
        replay="reject",
        tenants=frozenset(),
        keys=PinnedKeys(sandbox.SandboxKeys()),
        jku=sandbox.JKU,
        fhir_bases=(),
        prefetch_names={},
        ca_file=None,
    )


def insecure(clients: Sequence[Client]) -> list[str]:
    """Why production mode must not start with *clients*; empty when it may."""
    if not clients:
        return ["client: there is none, so nobody may call; add a table [client.NAME] for each EHR site"]
    return [f"client.{client.name}.{fault}" for client in clients for fault in _insecure(client)]


def _insecure(client: Client) -> Iterator[str]:
    if client.profile == "sandbox":
        yield "profile: the sandbox is for demo mode; give a site that you run its own profile"
    if isinstance(client.keys, Address) and client.keys.scheme != "https":
        yield "jku: keys that come over http can be anyone's; use https"
    if isinstance(client.keys, PinnedKeys) and any(map(sandbox.is_sandbox_key, client.keys.by_id.values())):
        yield "jwks_file: holds the public sandbox's key, whose private half is public; pin the site's own keys"
    for at, base in enumerate(client.fhir_bases):
        if base.address.scheme != "https":
            yield f"fhir[{at}].base: access tokens and charts need https"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError:
        fault = "cannot be read; check that it exists and who may read it"
    except tomllib.TOMLDecodeError as error:
        fault = f"is not TOML: {error}"
    except UnicodeDecodeError:
        fault = "is not UTF-8; save it as UTF-8"
    raise RegistryError((f"{path.name}: {fault}",))


def _tables(document: Mapping[str, Any], shape: Sequence[ShapeFault], folder: Path) -> Iterator[_Table]:
    """The clients' tables, each without the fields whose very form is wrong."""
    clients = document.get("client")
    for name, given in clients.items() if isinstance(clients, dict) else ():
        if isinstance(given, dict):
            unfit = {fault.field for fault in shape if fault.client == name}
            yield _Table(name, given, {field: given[field] for field in given.keys() - unfit}, folder)


class _Table:
    """One client's table being read: *given* as it was written, *fit* what is worth reading of it."""

    def __init__(self, name: str, given: Mapping[str, Any], fit: Mapping[str, Any], folder: Path) -> None:
        self.name = name
        self.issuer: str | None = fit.get("issuer")
        self.tenants: frozenset[str] = frozenset(fit.get("tenants", ()))
        self.faults: list[str] = []
        self._given = given
        self._fit = fit
        self._folder = folder

    def client(self, prefetch_keys: Collection[str]) -> Client | None:
        """The client, or ``None`` without issuer or keys; every fault found is in *faults*."""
        algorithms = frozenset(self._fit.get("algorithms", DEFAULT_ALGORITHMS))
        keys, jku = self._keys(algorithms)
        bases, names, ca_file = tuple(self._bases()), self._prefetch_names(prefetch_keys), self._ca_file()
        if self.issuer is None or keys is None:
            return None
        return Client(
            name=self.name,
            issuer=self.issuer,
            algorithms=algorithms,
            profile=self._fit.get("profile", "generic"),
            replay=self._fit.get("replay", "reject"),
            tenants=self.tenants,
            keys=keys,
            jku=jku,
            fhir_bases=bases,
            prefetch_names=names,
            ca_file=ca_file,
            silent=self._fit.get("silent", False),
            remember_days=self._fit.get("remember_days", 0),
        )

    def _fault(self, field: str, words: str) -> None:
        self.faults.append(f"client.{self.name}.{field}: {words}")

    def _keys(self, algorithms: Collection[str]) -> tuple[PinnedKeys | Address | None, str | None]:
        ways = {"jwks_file", "jku"} & self._given.keys()
        if self._fit.get("profile") == "sandbox" and not ways:
            return sandbox.sandbox_keys(), sandbox.JKU
        if len(ways) != 1:
            self._fault("jku", "give either jku or jwks_file, so that there is one place its keys come from")
            return None, None
        if "jku" in self._fit:
            return self._address("jku", self._fit["jku"]), self._fit["jku"]
        return self._pinned(algorithms), None

    def _pinned(self, algorithms: Collection[str]) -> PinnedKeys | None:
        document = self._file("jwks_file", MAX_KEY_SET)
        if document is None:
            return None
        try:
            found = read_key_set(document, algorithms)
        except NotAKeySet as fault:
            self._fault("jwks_file", fault.why)
            return None
        for line in found.faults:
            self._fault("jwks_file", line)
        if not found.keys.by_id and not found.faults:
            self._fault("jwks_file", "has no key; pin at least one")
        return found.keys

    def _bases(self) -> Iterator[FhirBase]:
        seen: set[Address] = set()
        for at, given in enumerate(self._fit.get("fhir", ())):
            field = f"fhir[{at}].base"
            address = self._address(field, given["base"])
            if address is None:
                continue
            if address.query:
                self._fault(field, "has a query; leave out the question mark and what follows it")
            if address in seen:
                self._fault(field, "is listed twice; list it once")
            seen.add(address)
            yield FhirBase(address, given.get("internal", False))

    def _prefetch_names(self, ours: Collection[str]) -> dict[str, str]:
        names: dict[str, str] = self._fit.get("prefetch", {})
        times = Counter(names.values())
        for name, our in names.items():
            if our not in ours:
                self._fault(f"prefetch.{name}", f"is not a prefetch key of this service; {did_you_mean(our, ours)}")
            elif times[our] > 1:
                self._fault(f"prefetch.{name}", "means the same key of ours as another name; keep one of them")
        return names

    def _ca_file(self) -> Path | None:
        from cryptography.x509 import load_pem_x509_certificates  # few sites have an authority of their own

        certificates = self._file("ca_file", MAX_CERTIFICATES)
        if certificates is None:
            return None
        try:
            load_pem_x509_certificates(certificates)
        except ValueError:
            self._fault("ca_file", "holds no certificate that can be read; give PEM")
        return self._folder / str(self._fit["ca_file"])

    def _address(self, field: str, text: str) -> Address | None:
        try:
            return parse_address(text)
        except UnsafeAddress as unsafe:
            self._fault(field, unsafe.why)
            return None

    def _file(self, field: str, most: int) -> bytes | None:
        """The bytes of the file that *field* names; ``None`` when it names none, or none that can be read."""
        if field not in self._fit:
            return None
        try:
            with (self._folder / str(self._fit[field])).open("rb") as file:
                content = file.read(most + 1)
        except (OSError, ValueError):
            self._fault(field, "cannot be read; check that it exists and who may read it")
            return None
        if len(content) > most:
            self._fault(field, f"is longer than {most:,} bytes")
            return None
        return content


def _shared_issuers(tables: Sequence[_Table]) -> Iterator[str]:
    """One issuer may speak for several sites when every token's tenant says for which."""
    for one, other in combinations(tables, 2):
        same = one.issuer is not None and one.issuer == other.issuer
        if same and (not one.tenants or not other.tenants or one.tenants & other.tenants):
            yield (
                f"client.{other.name}.issuer: is that of client.{one.name} too; "
                "give tenants to both, and no tenant to both"
            )
