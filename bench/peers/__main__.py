"""The value sets of the questions, from ``cards/``, for peers to read: ``python -m bench.peers TARGET``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

CARDS = Path(__file__).parent.parent.parent / "cards" / "value_sets"
QUESTIONS = {
    "all": "all-*",
    "relapse": "all-in-relapse",
    "remission": "all-in-remission",
    "marrow": "marrow-blasts",
    "ph": "ph-presence",
    "negative": "value-negative",
    "positive": "value-positive",
}


def codes(pattern: str) -> list[dict[str, str]]:
    """The codes of every value set whose file name fits."""
    composed = [json.loads(file.read_text())["compose"]["include"] for file in sorted(CARDS.glob(f"{pattern}.json"))]
    return [
        {"system": part["system"], "code": concept["code"]}
        for include in composed
        for part in include
        for concept in part.get("concept", ())
    ]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps({name: codes(pattern) for name, pattern in QUESTIONS.items()}))
