"""The report as one page for a committee: charts drawn here, a table under each, no script."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cds_service.knowledge import Knowledge
from cds_service.report.charts import override_whiskers, weekly_bars
from cds_service.report.figures import ENOUGH_ANSWERS, TOO_OFTEN, Report
from cds_service.report.names import class_name, reason_name, rule_name, suggestion_name, week_name
from cds_service.report.notes import NOTES
from cds_service.report.text import told


def report_html(report: Report, knowledge: Knowledge, *, standalone: bool = False) -> str:
    """The page. Served, it links its style sheet; *standalone*, as a file, it carries it."""
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            knowledge=knowledge,
            bars=weekly_bars(report.by_week),
            whiskers=override_whiskers(report.by_rule, report.called_out),
            notes=NOTES,
            too_often=TOO_OFTEN,
            enough=ENOUGH_ANSWERS,
            style=_style() if standalone else "",
        )
    )


@lru_cache(maxsize=1)
def _style() -> Markup:
    return Markup((files("cds_service") / "static" / "report.css").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cds_service", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        told=told,
        rule=rule_name,
        classification=class_name,
        week=week_name,
        reason=reason_name,
        suggestion=suggestion_name,
    )
    return environment
