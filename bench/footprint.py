"""What the server holds and how soon it answers: memory by body, memory of a worker, start to first answer."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from compileall import compile_dir
from dataclasses import dataclass

from bench.charts import chart
from bench.contenders import ROOT, ours, running
from bench.measure import Spread

MODELS = "import flask, fhir.resources.R4B.condition, fhir.resources.R4B.observation, fhir.resources.R4B.servicerequest"


@dataclass(frozen=True)
class Worker:
    """Resident megabytes of one process after its first answer, and after a hundred of 500 observations."""

    first: float
    later: float


@dataclass(frozen=True)
class Took:
    """Milliseconds on the clock and of CPU; on a busy machine only the second says much."""

    wall: Spread
    cpu: Spread

    @classmethod
    def of(cls, seen: list[tuple[float, float]]) -> Took:
        return cls(Spread.of([wall for wall, _ in seen]), Spread.of([cpu for _, cpu in seen]))


def growth(size: int, processes: int) -> Spread:
    """The most that one call of *size* observations adds to a process that has answered small ones, in bodies."""
    body = chart(size)
    found = []
    for _ in range(processes):
        with running(ours()) as server:
            for _ in range(5):
                server.ask(chart(50))
            before = server.kilobytes("VmRSS")
            server.forget_peak()
            server.ask(body)
            found.append((server.kilobytes("VmHWM") - before) * 1024 / len(body))
    return Spread.of(found)


def worker() -> Worker:
    body = chart(500)
    with running(ours()) as server:
        first = server.kilobytes("VmRSS")
        for _ in range(100):
            server.ask(body)
        return Worker(first / 1024, server.kilobytes("VmRSS") / 1024)


def start_and_imports(rounds: int) -> dict[str, Took]:
    """From start to first answer, and importing Flask and three models alone, in turn."""
    compile_dir(ROOT / "cds_service", quiet=1)  # as pip does with what it installs, the models among it
    starts: list[tuple[float, float]] = []
    imports: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        starts.append(_start())
        imports.append(_import())
    return {"start": Took.of(starts[1:]), "imports": Took.of(imports[1:])}


def _start() -> tuple[float, float]:
    began = time.perf_counter()
    with running(ours()) as server:
        return 1000 * (time.perf_counter() - began), server.cpu_ms()


def _import() -> tuple[float, float]:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", MODELS], check=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * (time.perf_counter() - began), 1000 * cpu
