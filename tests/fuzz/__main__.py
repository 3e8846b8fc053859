"""``python -m tests.fuzz``: two processes, one line of figures, exit 1 when anything is wrong."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cds_service import logs
from tests.fuzz.odd import CANARY
from tests.fuzz.run import Figures, fuzz

PROCESSES = 2
FIGURES, LOG = "figures.json", "log"


def main() -> int:
    """The exit code."""
    asked = _arguments()
    asked.keep.mkdir(parents=True, exist_ok=True)
    if asked.worker:
        logs.configure(sys.stderr)
        (asked.keep / FIGURES).write_text(fuzz(asked.runs, asked.seed, asked.seconds, asked.keep).as_json())
        return 0
    figures = _in_two_processes(asked)
    print(figures.line())
    for fault, count in figures.faults.items():
        print(f"{count} x {fault}; the bodies are in {asked.keep}", file=sys.stderr)
    return 1 if figures.faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Send hostile requests; judge the answers."
    )
    parser.add_argument("--runs", type=int, default=100_000, help="how many requests in all")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same requests")
    parser.add_argument("--seconds", type=float, default=900, help="stop then, however many were sent")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where logs and bodies with faults go")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_two_processes(asked: argparse.Namespace) -> Figures:
    """All they print goes to files, which are searched when they have ended."""
    running = [(_start(asked, number), asked.keep / str(number)) for number in range(PROCESSES)]
    total = Figures()
    for process, keep in running:
        if process.wait():
            total.faults["a process that ended early"] += 1
            continue
        total.add(Figures.from_json((keep / FIGURES).read_text()))
        if CANARY in (keep / LOG).read_text("utf-8", "replace"):
            total.faults["canary in the log"] += 1
    return total


def _start(asked: argparse.Namespace, number: int) -> subprocess.Popen[bytes]:
    keep = asked.keep / str(number)
    keep.mkdir(exist_ok=True)
    for old in keep.glob("fault-*"):
        old.unlink()
    command = [sys.executable, "-m", "tests.fuzz", "--worker", f"--runs={asked.runs // PROCESSES}", f"--keep={keep}"]
    command += [f"--seed={asked.seed * PROCESSES + number}", f"--seconds={asked.seconds}"]
    with (keep / LOG).open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


if __name__ == "__main__":
    sys.exit(main())
