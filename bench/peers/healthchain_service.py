"""HealthChain's CDS Hooks service: ``healthchain_service.py PORT VALUE_SETS dicts|objects``.

``dicts`` reads the prefetch as it is handed over, unvalidated: its quickest way. ``objects`` has it converted by
HealthChain's own reader first, which validates it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import uvicorn
from healthchain.fhir import convert_prefetch_to_fhir_objects
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import CDSRequest, CDSResponse
from healthchain.models.responses.cdsresponse import Card, IndicatorEnum, Source
from questions import Chart, port_and_sets, prepare

service = CDSHooksService()


@service.hook("patient-view", id="relapsed-refractory-all")
def call_hook(request: CDSRequest) -> CDSResponse:
    prefetch = {key: value for key, value in (request.prefetch or {}).items() if key != "patient"}
    line = (_of_objects(prefetch) if sys.argv[3] == "objects" else _of_dicts(prefetch.values())).summary()
    found = [Card(summary=line, indicator=IndicatorEnum.info, source=Source(label="bench"))] if line else []
    return CDSResponse(cards=found)


def _of_dicts(bundles: Iterable[dict[str, Any]]) -> Chart:
    return Chart([entry["resource"] for bundle in bundles for entry in bundle.get("entry", ())], dict.get)


def _of_objects(prefetch: dict[str, Any]) -> Chart:
    bundles: Iterable[Any] = convert_prefetch_to_fhir_objects(prefetch).values()
    return Chart([entry.resource for bundle in bundles for entry in bundle.entry or ()], getattr)


app = HealthChainAPI(title="bench")
app.register_service(service)


if __name__ == "__main__":
    port, value_sets = port_and_sets()
    prepare(value_sets)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
