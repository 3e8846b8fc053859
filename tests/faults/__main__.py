"""Every full run in turn: ``python -m tests.faults``; exit 1 when one does not meet its criterion."""

from __future__ import annotations

import sys

from tests.faults import away, copies, full_disk, killed, thrice, two_processes

if __name__ == "__main__":
    failed = [run.__name__ for run in (killed, thrice, full_disk, away, two_processes, copies) if not run.main()]
    for name in failed:
        print(f"not met: {name}")
    sys.exit(bool(failed))
