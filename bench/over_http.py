"""Whole HTTP answers: CPU of the server's process in turn with its peers, and wall time with many calls in flight."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.charts import chart
from bench.contenders import Absent, Contender, Running, ours, running
from bench.measure import Figure, once
from tests.reliability.load import Load, percentile, request_bytes

Chart = tuple[int, int]
"""Observations, and relevant resources."""
Often = tuple[int, int]
"""Rounds, and calls of one server in a round."""
IN_FLIGHT = (1, 4, 16)
WARM_UP = {50: 40, 500: 8}
"""Calls before anything is counted, by observations: Node compiles what it has seen often."""


@dataclass(frozen=True)
class Waited:
    """Wall milliseconds with a number of calls in flight, and how many were answered."""

    p50: float
    p99: float
    answered: int
    refused: int


def cpu_in_turn(
    contenders: Sequence[Contender], sizes: Mapping[Chart, Often]
) -> tuple[dict[str, dict[Chart, Figure]], dict[str, str]]:
    """CPU milliseconds of a call by server and chart, beside orjson in the same turn; and why each absent one is."""
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        servers = []
        for contender in contenders:
            try:
                server = stack.enter_context(running(contender))
                _warm_up(server)
                servers.append(server)
            except Absent as error:
                absent[contender.name] = str(error)
        found: dict[str, dict[Chart, Figure]] = {server.contender.name: {} for server in servers}
        for made, often in sizes.items():
            for name, figure in _of_chart(servers, chart(*made), *often).items():
                found[name][made] = figure
    return found, absent


def _warm_up(server: Running) -> None:
    for size, calls in WARM_UP.items():
        body = chart(size)
        for _ in range(calls):
            server.ask(body)


def _of_chart(servers: Sequence[Running], body: bytes, rounds: int, calls: int) -> dict[str, Figure]:
    loads: Callable[[bytes], object] = importlib.import_module("orjson").loads
    seen: dict[str, list[float]] = {server.contender.name: [] for server in servers}
    base: list[float] = []
    for _ in range(rounds + 1):
        for server in servers:
            seen[server.contender.name].append(_cpu_of(server, body, calls))
        base.append(once(lambda: loads(body)))
    return {name: Figure.beside(values[1:], base[1:]) for name, values in seen.items()}


def _cpu_of(server: Running, body: bytes, calls: int) -> float:
    before = server.cpu_ms()
    for _ in range(calls):
        server.ask(body)
    return (server.cpu_ms() - before) / calls


def waits(sizes: Mapping[int, int], relevant: int) -> dict[int, dict[int, Waited]]:
    """Our server's wall times by size and calls in flight. *sizes* gives how many calls are made for each."""
    found: dict[int, dict[int, Waited]] = {}
    with running(ours()) as server:
        _warm_up(server)
        for size, calls in sizes.items():
            request = request_bytes(server.contender.path, chart(size, relevant))
            found[size] = {callers: _waited(server, request, callers, calls) for callers in IN_FLIGHT}
    return found


def _waited(server: Running, request: bytes, callers: int, calls: int) -> Waited:
    seen = Load(server.port, request).closed(callers, calls)
    answered = [1000 * seconds for seconds in seen.seconds.get(200, ())]
    return Waited(percentile(answered, 50), percentile(answered, 99), len(answered), calls - len(answered))
