"""The pages on standards, security and reliability name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PAGE = (TOP / "docs" / "standards.md").read_text(encoding="utf-8")
PAGES = [PAGE, *((TOP / "docs" / name).read_text(encoding="utf-8") for name in ("security.md", "reliability.md"))]
NAMED = sorted({name for page in PAGES for name in re.findall(r"`(tests/[\w/]+\.py::\w+)", page)})


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert re.search(rf"^def {function}\(", (TOP / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_statement_is_there_once() -> None:
    ids = re.findall(r"^\| (S-\d+) \|", PAGE, re.MULTILINE)
    assert len(ids) == len(set(ids)) == 189
