"""FastAPI, whole bundles through fhir.resources, as tutorials do it: ``fastapi_service.py PORT VALUE_SETS``."""

from __future__ import annotations

from typing import Any

import uvicorn
from fastapi import FastAPI
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.patient import Patient
from pydantic import BaseModel
from questions import Chart, port_and_sets, prepare


class Context(BaseModel):
    userId: str
    patientId: str
    encounterId: str | None = None


class HookCall(BaseModel):
    hook: str
    hookInstance: str
    context: Context
    prefetch: dict[str, Any]


class Source(BaseModel):
    label: str


class Card(BaseModel):
    summary: str
    indicator: str
    source: Source


class Cards(BaseModel):
    cards: list[Card]


app = FastAPI()


@app.post("/cds-services/{service}")
def call_hook(service: str, call: HookCall) -> Cards:
    Patient.model_validate(call.prefetch["patient"])
    bundles = [Bundle.model_validate(value) for key, value in call.prefetch.items() if key != "patient"]
    resources = [entry.resource for bundle in bundles for entry in bundle.entry or ()]
    line = Chart(resources, getattr).summary()
    found = [Card(summary=line, indicator="info", source=Source(label="bench"))] if line else []
    return Cards(cards=found)


if __name__ == "__main__":
    port, value_sets = port_and_sets()
    prepare(value_sets)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
