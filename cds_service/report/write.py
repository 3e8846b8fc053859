"""Write the report, or the events it rests on, as the operator asked."""

from __future__ import annotations

from typing import TextIO, assert_never

from cds_service.knowledge import Knowledge
from cds_service.report import Form
from cds_service.report.export import events, write_csv, write_json
from cds_service.report.figures import Report, report
from cds_service.report.page import report_html
from cds_service.report.queries import find
from cds_service.report.tally import Scope
from cds_service.report.text import report_text
from cds_service.store.database import Database


def make_report(database: Database, scope: Scope) -> Report:
    """Count and hide. Raises :class:`StoreDown`."""
    return report(database.run(lambda connection: find(connection, scope)), scope)


def write_report(database: Database, knowledge: Knowledge, form: Form, scope: Scope, out: TextIO) -> None:
    """``text`` and ``html`` are the report; ``csv`` and ``json`` are its events, one by one, nothing hidden.

    *out* is UTF-8 and must not translate line ends (``newline=""``). Raises :class:`StoreDown`.
    """
    match form:
        case "text":
            out.write(report_text(make_report(database, scope), knowledge))
        case "html":
            out.write(report_html(make_report(database, scope), knowledge, standalone=True))
        case "csv":
            write_csv(events(database, knowledge, scope), out)
        case "json":
            write_json(events(database, knowledge, scope), out)
        case never:
            assert_never(never)
