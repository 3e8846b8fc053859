"""The whole service in demo mode, in process, as its routes answer over WSGI."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask

from cds_service.assemble import Checked, assemble
from cds_service.settings import Settings
from tests.stories import BASE_URL, knowledge

MAX_BODY = 4 << 20
HOOK = "/cds-services/relapsed-refractory-all"
FEEDBACK = f"{HOOK}/feedback"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def open_service(today: str, folder: Path) -> Flask:
    """The application on the day *today*; what it writes goes into *folder*."""
    settings = Settings(
        "demo",
        BASE_URL,
        database_url=f"sqlite:///{folder}/store.db",
        max_body=MAX_BODY,
        today=date.fromisoformat(today),
        assessment_extension=True,
    )
    return assemble(Checked(settings, knowledge(), ()))


def cards_without_ids(body: dict[str, Any]) -> str:
    """The cards of an answer as text, each random id written alike."""
    return _UUID.sub("uuid", json.dumps(body["cards"]))
