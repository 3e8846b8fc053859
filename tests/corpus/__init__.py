"""The attack corpus: data files (see README.md) and the few lines that turn an entry into bytes."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
Part = str | dict[str, Any]
Text = str | list[Part]


def entries(name: str) -> list[Entry]:
    """Every entry of the file *name* (without ``.json``)."""
    found: list[Entry] = json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
    return found


def joined(text: Text) -> bytes:
    """A text, or its parts one after the other: text, a repeated text, or bytes in Base64."""
    return b"".join(_part(part) for part in ([text] if isinstance(text, str) else text))


def _part(part: Part) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if "base64" in part:
        return base64.b64decode(part["base64"], validate=True)
    return str(part["repeat"]).encode() * int(part["times"])


def edited(request: Entry, edits: list[Entry]) -> bytes:
    """The body of *request* after *edits*, in order; values given as ``json`` are put in as text."""
    made, raws = copy.deepcopy(request), list[bytes]()
    for edit in edits:
        _edit(made, edit, raws)
    body = json.dumps(made, ensure_ascii=False).encode()
    for number, raw in enumerate(raws):
        body = body.replace(_stand_in(number).encode(), raw)
    return body


def _edit(request: Entry, edit: Entry, raws: list[bytes]) -> None:
    *way, last = edit["at"].split("/")
    place: Any = request
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if last == "-":
        place.append(_value(edit, raws))
        return
    at = int(last) if isinstance(place, list) else last
    if edit.get("remove"):
        del place[at]
    else:
        place[at] = _value(edit, raws)


def _value(edit: Entry, raws: list[bytes]) -> Any:
    if "json" not in edit:
        return edit["value"]
    raws.append(joined(edit["json"]))
    return json.loads(_stand_in(len(raws) - 1))


def _stand_in(number: int) -> str:
    return f'"stands-for-raw-json-{number}"'
