"""Measure, print the table, exit 0: ``python -m bench [--quick] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bench.bars import bars
from bench.run import FULL, QUICK, measure
from bench.table import table


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description="What an answer costs, beside what others' cost.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look; the spread is wide")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to FILE")
    given = parser.parse_args()
    found = measure(QUICK if given.quick else FULL)
    print(table(found))
    if given.json:
        judged = [asdict(bar) | {"met": bar.met} for bar in bars(found)]
        given.json.write_text(json.dumps(asdict(found) | {"bars": judged}, indent=1))


if __name__ == "__main__":
    main()
