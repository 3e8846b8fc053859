"""Every full run in turn: ``python -m tests.reliability``; exit 1 when one does not meet its criterion."""

from __future__ import annotations

import sys

from tests.reliability import bulkhead, growth, overload, same_bytes, slow_clients, stopping

if __name__ == "__main__":
    failed = [
        run.__name__ for run in (bulkhead, growth, overload, stopping, slow_clients, same_bytes) if not run.main()
    ]
    for name in failed:
        print(f"not met: {name}")
    sys.exit(bool(failed))
