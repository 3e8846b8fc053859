"""``/report``: the report as a page. Demo mode only; elsewhere ``cds-service report --format html`` writes it."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.app import PAGE_POLICY
from cds_service.errors import Unavailable
from cds_service.knowledge import Knowledge
from cds_service.store.database import Database, StoreDown


def report_page(database: Database, knowledge: Knowledge) -> Blueprint:
    """The page over all that *database* holds."""
    blueprint = Blueprint("report", __name__)

    @blueprint.get("/report")
    def show() -> Response:
        from cds_service.report.page import report_html  # as below: nothing else in a service needs them
        from cds_service.report.tally import Scope
        from cds_service.report.write import make_report

        try:
            page = report_html(make_report(database, Scope(None, None, None)), knowledge)
        except StoreDown:
            raise Unavailable("The database does not answer. Ask again shortly.", retry_after=5) from None
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store"}
        return Response(page, mimetype="text/html", headers=headers)

    return blueprint
