"""Demo mode only: what testers see and call, made from the stories of ``fhir_fixtures/``."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """``fhir_fixtures/``: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "fhir_fixtures"
    return inside if inside.is_dir() else package.parent / "fhir_fixtures"
