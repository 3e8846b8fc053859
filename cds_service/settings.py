"""Settings: read once from the environment, checked together, frozen.

A default is safe or absent; every fault is listed, by variable and with what to do, and none repeats a value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar, cast
from urllib.parse import urlsplit

from cds_service.comments import Comments

Mode = Literal["demo", "production"]
T = TypeVar("T")

KNOWN = (
    "CDS_MODE",
    "CDS_BASE_URL",
    "CDS_CLIENTS",
    "CDS_DATABASE_URL",
    "CDS_BUDGET_MS",
    "CDS_MAX_BODY",
    "CDS_CARDS",
    "CDS_TODAY",
    "CDS_ASSESSMENT_EXTENSION",
    "CDS_PATIENT_KEY",
    "CDS_COMMENTS",
)
DEFAULT_MAX_BODY = 16 << 20
SMALLEST_MAX_BODY = 1 << 10
LARGEST_MAX_BODY = 1 << 30
DEMO_BASE_URL = "http://127.0.0.1:8080"
DATABASE_URL = "sqlite:///cds-service.db"
DEFAULT_BUDGET_MS = 2000
SHORTEST_KEY = 32
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class SettingsError(Exception):
    """The service must not start. *faults* has one line for each, naming the variable and what to do.

    *settings* holds what could be read, so that the files it names can be checked at the same time.
    """

    def __init__(self, faults: tuple[str, ...], settings: Settings) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
        self.settings = settings


class _Fault(ValueError):
    """What to do about one variable."""


@dataclass(frozen=True)
class Settings:
    """How this process runs.

    *clients* is the client registry, *cards* a site's extra folder; *today* replaces the clock (demo only);
    *budget* is the time in seconds a call may spend on the EHR's FHIR server; *patient_key* makes the keyed
    hash under which the audit names a patient.
    """

    mode: Mode
    base_url: str
    clients: Path | None = None
    database_url: str = field(default=DATABASE_URL, repr=False)
    budget: float = DEFAULT_BUDGET_MS / 1000
    max_body: int = DEFAULT_MAX_BODY
    cards: Path | None = None
    today: date | None = None
    assessment_extension: bool = False
    patient_key: bytes | None = field(default=None, repr=False)
    comments: Comments = "off"

    @property
    def demo(self) -> bool:
        return self.mode == "demo"


def read_settings(environ: Mapping[str, str], mode: str | None = None) -> Settings:
    """The settings in *environ*; *mode* is the command line's and wins. Raises :class:`SettingsError`."""
    given = {name: text.strip() for name, text in environ.items() if name.startswith("CDS_") and text.strip()}
    if mode is not None:
        given["CDS_MODE"] = mode
    faults = [_unknown(name) for name in sorted(environ) if name.startswith("CDS_") and name not in KNOWN]

    def read(name: str, reader: Callable[[str], T], default: T) -> T:
        try:
            return reader(given[name]) if name in given else default
        except _Fault as fault:
            faults.append(f"{name}: {fault}")
            return default

    production: Mode = "production"
    chosen = read("CDS_MODE", _mode, production)
    demo = chosen == "demo"
    settings = Settings(
        mode=chosen,
        base_url=read("CDS_BASE_URL", _base_url, DEMO_BASE_URL if demo else ""),
        clients=read("CDS_CLIENTS", _file, None),
        database_url=given.get("CDS_DATABASE_URL", DATABASE_URL),
        budget=read("CDS_BUDGET_MS", _budget, DEFAULT_BUDGET_MS / 1000),
        max_body=read("CDS_MAX_BODY", _max_body, DEFAULT_MAX_BODY),
        cards=read("CDS_CARDS", _folder, None),
        today=read("CDS_TODAY", _day, None),
        assessment_extension=read("CDS_ASSESSMENT_EXTENSION", _switch, demo),
        patient_key=read("CDS_PATIENT_KEY", _key, None),
        comments=read("CDS_COMMENTS", _comments, "off"),
    )
    if not demo:
        faults += _production_faults(settings, given, environ)
    if faults:
        raise SettingsError(tuple(faults), settings)
    return settings


def _production_faults(settings: Settings, given: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Each is reported, whatever else is wrong; those of the registry's content are found when it is loaded."""
    unsafe = {
        "CDS_CLIENTS: production needs the client registry, a TOML file that says who may call": (
            "CDS_CLIENTS" not in given
        ),
        "CDS_BASE_URL: production needs the public https:// address of this service": (
            not settings.base_url.startswith("https://")
        ),
        "CDS_TODAY: only demo mode may replace the clock; leave it out": "CDS_TODAY" in given,
        "FLASK_DEBUG: production shows nobody a traceback; leave it out": bool(environ.get("FLASK_DEBUG")),
    }
    return [fault for fault, present in unsafe.items() if present]


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, KNOWN, n=1)
    return f"{name}: no such setting; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(KNOWN)}")


def _mode(text: str) -> Mode:
    if text not in ("demo", "production"):
        raise _Fault("must be demo or production")
    return cast(Mode, text)


def _base_url(text: str) -> str:
    """An address callers can be given: scheme, plain host, perhaps a port and a path."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _Fault("must be an address such as https://cds.example.org") from None
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
        raise _Fault("must be an address such as https://cds.example.org, without user name or odd characters")
    if parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise _Fault("must have no query, fragment or spaces")
    return text.rstrip("/")


def _max_body(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or not SMALLEST_MAX_BODY <= int(text) <= LARGEST_MAX_BODY:
        raise _Fault(f"must be a number of bytes from {SMALLEST_MAX_BODY} to {LARGEST_MAX_BODY}")
    return int(text)


def _budget(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 100 <= int(text) <= 30_000:
        raise _Fault("must be a number of milliseconds from 100 to 30000")
    return int(text) / 1000


def _key(text: str) -> bytes:
    if len(text) < SHORTEST_KEY:
        raise _Fault(f"must have at least {SHORTEST_KEY} characters, made at random for this site")
    return text.encode()


def _comments(text: str) -> Comments:
    if text not in ("off", "redact", "store"):
        raise _Fault("must be off, redact or store")
    return cast(Comments, text)


def _file(text: str) -> Path:
    file = Path(text)
    if not file.is_file():
        raise _Fault("must name a file that exists")
    return file


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise _Fault("must name a folder that exists")
    return folder


def _day(text: str) -> date:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _Fault("must be a day written YYYY-MM-DD") from None


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise _Fault("must be on or off")
    return text == "on"
