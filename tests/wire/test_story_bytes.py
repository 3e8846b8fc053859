"""A call means the same however its JSON is written: spaced or not, escaped or not, its keys in any order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from cds_service.compose import assessment_json
from cds_service.decide import decide
from cds_service.hooks.envelope import parse
from cds_service.service import patient_view
from tests.stories import Story, knowledge, stories

Json = dict[str, Any]


def _reversed(request: Json) -> Json:
    """The prefetch first, and its keys from the last to the first: the Patient is the last value."""
    turned = dict(reversed(request["prefetch"].items()))
    return {"prefetch": turned} | {key: value for key, value in request.items() if key != "prefetch"}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda request: json.dumps(request, ensure_ascii=False, separators=(",", ":")), id="compact"),
        pytest.param(lambda request: json.dumps(request, indent="\t"), id="indented"),
        pytest.param(lambda request: json.dumps(_reversed(request), ensure_ascii=False), id="the Patient last"),
        pytest.param(lambda request: json.dumps(request, sort_keys=True, separators=(",", ":")), id="keys sorted"),
        pytest.param(lambda request: json.dumps(request).replace("p", r"\u0070"), id="a letter escaped everywhere"),
    ],
)
def test_a_story_is_answered_alike_however_it_is_written(written: Callable[[Json], str]) -> None:
    for told in stories():
        assert _answered(told, written(told.request)) == assessment_json(told.decide(), knowledge()), told.slug


def _answered(told: Story, body: str) -> Json:
    view = patient_view(parse(body.encode()))
    return assessment_json(decide(view, knowledge(), date.fromisoformat(told.about["today"])), knowledge())
