"""Requests that schemathesis makes from our own OpenAPI document, both as it says and not as it says."""

from __future__ import annotations

import time
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from tests.fuzz.judge import Seen, timed


def cases(app: Flask, runs: int, number: int, until: float) -> list[Seen]:
    """The answers to about *runs* requests, over all operations; no more once *until* has come."""
    document = schemathesis.openapi.from_wsgi("/openapi.json", app)
    found: list[Seen] = []
    # A page that takes nothing can be asked in one way alone.
    pages: list[Any] = []
    hooks: list[Any] = []
    for result in document.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # of a document that cannot be read it raises
        (hooks if operation.method == "post" else pages).append(operation)
    share = runs // (2 * len(hooks))
    for operation in pages if share else []:
        _call(operation, GenerationMode.POSITIVE, 1, number, until, found)
    for operation in hooks if share else []:
        _call(operation, GenerationMode.POSITIVE, share, number, until, found)
        _call(operation, GenerationMode.NEGATIVE, share, number, until, found)
    return found


def _call(operation: Any, mode: GenerationMode, runs: int, number: int, until: float, found: list[Seen]) -> None:
    quiet = settings(
        max_examples=runs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    @quiet
    @given(operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        if time.monotonic() < until:
            found.append(_seen(case))

    call()


def _seen(case: Any) -> Seen:
    response, seconds = timed(case.call)
    headers = {name.title(): ", ".join(values) for name, values in response.headers.items()}
    return Seen(response.status_code, headers, response.content, seconds)
