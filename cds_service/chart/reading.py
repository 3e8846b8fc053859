"""What every reader needs: the chart around a resource, and where facts and set-aside rows go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from cds_service.chart.resource import Json, Resource
from cds_service.chart.strict_json import Malformed, decode
from cds_service.clinical.facts import Fact, SetAside
from cds_service.clinical.when import When
from cds_service.knowledge import Knowledge


@dataclass
class Reading:
    """One chart being read. Facts and reasons are gathered here, then frozen and sorted."""

    knowledge: Knowledge
    today: date
    referenced: Mapping[str, bytes]
    full_urls: Mapping[str, str]
    facts: list[Fact] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    marrow_specimens: set[str] = field(default_factory=set)
    all_conditions: set[str] = field(default_factory=set)

    @cached_property
    def now(self) -> When:
        return When.day(self.today)

    def resource(self, json: Json) -> Resource:
        return Resource(json, self.knowledge.meanings, self.knowledge.displays)

    def aside(self, resource: Resource, why: str) -> None:
        self.set_aside.append(SetAside(resource.ref, why))

    def resolve(self, resource: Resource, reference: str) -> Resource | None:
        """A contained (``#x``) or bundled resource; None when it is not at hand."""
        if not reference:
            return None
        if reference.startswith("#"):
            for contained in resource.parts("contained"):
                if contained.get("id") == reference[1:]:
                    return self.resource(contained)
            return None
        raw = self.referenced.get(reference) or self.referenced.get(self.full_urls.get(reference, ""))
        raw = raw or self.referenced.get("/".join(reference.split("/")[-2:]))
        if raw is None:
            return None
        try:
            return self.resource(decode(raw))
        except Malformed:
            return None

    def usable_date(self, resource: Resource, when: When | None) -> When | None:
        """*when*, unless it is absent or surely after today: then the row is set aside."""
        if when is None:
            self.aside(resource, "no-date")
            return None
        if self.now.before(when).yes:
            self.aside(resource, "dated-after-today")
            return None
        return when
