"""Instructions of one answer, counted by valgrind: ``make bench-instructions``. The same on a busy machine.

An instruction is not a time: orjson's come quicker one after the other than an interpreter's. What a change of ours
saves or costs shows in them to the percent, where times on a shared machine swing by half.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys

from bench.charts import SIZES, chart
from bench.contenders import ROOT
from bench.measure import settle
from bench.pipeline import Pipeline

FEW, MANY = 2, 12
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")


def main() -> None:
    """As it is called by the user; with *what*, *size* and *times*, as it is run under valgrind."""
    if len(sys.argv) == 4:
        _run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        return
    print("observations   whole answer   orjson.loads   ratio   (millions of instructions)")
    for size in SIZES:
        ours, floor = (_each(what, size) / 1e6 for what in ("answer", "orjson"))
        print(f"{size:12}{ours:15.1f}{floor:15.1f}{ours / floor:8.2f}", flush=True)


def _each(what: str, size: int) -> float:
    """What one more run of *what* takes, beyond the start of a process."""
    few, many = (_counted(what, size, times) for times in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _counted(what: str, size: int, times: int) -> int:
    command = [*VALGRIND, sys.executable, "-m", "bench.instructions", what, str(size), str(times)]
    environ = os.environ | {"PYTHONHASHSEED": "0"}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    found = _COUNTED.search(ended.stderr)
    assert found is not None, ended.stderr
    return int(found[1].replace(",", ""))


def _run(what: str, size: int, times: int) -> None:
    body, pipeline = chart(size), Pipeline()
    settle()
    pipeline.answer(body)  # what is made once is made now
    work = pipeline.answer if what == "answer" else importlib.import_module("orjson").loads
    for _ in range(times):
        work(body)


if __name__ == "__main__":
    main()
