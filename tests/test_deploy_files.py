"""What deploy/ and its guide promise: files the service agrees with.

What needs tools of others is in deploy/check.sh.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from cds_service.assemble import check
from cds_service.server import Limits
from cds_service.settings import DEFAULT_MAX_BODY
from tests.proxy import DEPLOY, TOP


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def manifests(folder: str = "base") -> list[Any]:
    files = sorted((DEPLOY / "kubernetes" / folder).glob("*.yaml"))
    return [made for file in files for made in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def of_kind(kind: str, folder: str = "base") -> list[Any]:
    return [made for made in manifests(folder) if isinstance(made, dict) and made.get("kind") == kind]


def pods() -> list[Any]:
    return [made["spec"]["template"]["spec"] for made in of_kind("Deployment") + of_kind("Job")]


def accepted(settings: list[str], folder: Path) -> tuple[str, ...]:
    """The callers the service knows with these settings, the registry being in *folder*."""
    given = dict(line.split("=", 1) for line in settings if line and not line.startswith("#"))
    where = Path(given["CDS_CLIENTS"])
    assert where.parent == Path("/etc/cds")
    return tuple(client.name for client in check(given | {"CDS_CLIENTS": str(folder / where.name)}).clients)


def test_the_service_takes_the_settings_and_the_registry_of_the_examples() -> None:
    example = DEPLOY / "site.example"
    assert accepted((example / "service.env").read_text().splitlines(), example / "registry") == ("hospital",)
    (kustomization,) = of_kind("Kustomization")
    (settings,) = [each["literals"] for each in kustomization["configMapGenerator"] if "literals" in each]
    assert accepted(settings, DEPLOY / "kubernetes/base") == ("hospital",)


def test_the_proxy_keeps_bodies_in_memory_and_waits_longer_than_the_service_may_take() -> None:
    text = (DEPLOY / "nginx/nginx.conf").read_text(encoding="utf-8")
    sizes = re.findall(r"client_(?:max_body_size|body_buffer_size) (\d+)m;", text)
    assert [int(size) << 20 for size in sizes] == [DEFAULT_MAX_BODY, DEFAULT_MAX_BODY]
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
    assert check({"CDS_BUDGET_MS": f"{int(seconds) * 1000 - 5000}"}, "demo").settings.budget == 30


def test_everybody_stops_later_than_the_service_needs() -> None:
    drain = Limits().drain_seconds
    services = compose()["services"]
    stops = [services[name]["stop_grace_period"] for name in ("service-a", "service-b", "nginx")]
    assert all(int(stop.removesuffix("s")) > drain for stop in stops)
    assert pods()[0]["terminationGracePeriodSeconds"] > drain


def test_in_compose_only_nginx_is_reachable_and_the_database_by_the_service_only() -> None:
    services = compose()["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["nginx"]
    assert {name for name, each in services.items() if "data" in each["networks"]} == {
        "service-a",
        "service-b",
        "store-upgrade",
        "database",
    }
    assert services["database"]["networks"] == ["data"]
    assert [compose()["networks"][name]["internal"] for name in ("front", "data")] == [True, True]


def test_no_container_of_compose_has_more_rights_than_it_needs() -> None:
    for each in compose()["services"].values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert int(each["user"].split(":")[0]) > 0
        assert each["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}


def test_no_pod_has_more_rights_than_it_needs() -> None:
    assert len(pods()) == 2
    for pod in pods():
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_ingress_and_nginx_pass_on_the_same_addresses() -> None:
    (ingress,) = of_kind("Ingress", "overlays/example")
    by_ingress = {path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]}
    text = (DEPLOY / "nginx/nginx.conf").read_text(encoding="utf-8")
    by_nginx = set(re.findall(r"location (?:= )?(/\S+?)/? \{ proxy_pass", text))
    assert by_ingress == by_nginx
    assert by_nginx.isdisjoint({"/metrics", "/report", "/readyz"})


def test_every_metric_the_guide_alerts_on_exists() -> None:
    known = (TOP / "cds_service/watch.py").read_text(encoding="utf-8")
    named = set(re.findall(r"\bcds_[a-z_]+", (TOP / "docs/deploy.md").read_text(encoding="utf-8"))) - {"cds_service"}
    assert len(named) > 3
    assert [name for name in named if f'"{re.sub("_(total|bucket|count|sum)$", "", name)}"' not in known] == []
