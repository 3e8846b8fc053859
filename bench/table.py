"""The one table: a row for each thing measured, a column for each number of observations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bench.bars import bars
from bench.call_back import CalledBack
from bench.charts import SIZES
from bench.contenders import OURS
from bench.measure import Figure, Spread
from bench.over_http import IN_FLIGHT, Waited
from bench.pipeline import REST, STAGES
from bench.run import Found

Cells = Mapping[int, str]
Row = tuple[str, Cells]


def table(found: Found) -> str:
    """Markdown: the figures, the bars under them, and what could not be measured."""
    head = f"| CPU ms, median (p10–p90) × orjson.loads | {' | '.join(f'{size:,}' for size in SIZES)} |"
    lines = [head, "|---" * (len(SIZES) + 1) + "|"]
    lines += [f"| {what} | {' | '.join(cells.get(size, '') for size in SIZES)} |" for what, cells in _rows(found)]
    load = [f"{before:.1f} → {after:.1f}" for before, after in zip(found.load_before, found.load_after, strict=True)]
    return "\n".join(
        [
            *lines,
            "",
            *_lines(found),
            f"load average over 1, 5 and 15 minutes, before → after: {', '.join(load)}",
            "",
            *map(str, bars(found)),
            *(f"not measured: {name}: {why}" for name, why in found.absent.items()),
        ]
    )


def _rows(found: Found) -> Iterator[Row]:
    for relevant, in_process in found.pipeline.items():
        yield from _figures(list(next(iter(in_process.values()))), in_process, "", relevant)
        yield from _figures([*STAGES, REST], found.stages[relevant], "· ", relevant)
    for relevant, over_http in found.http.items():
        yield f"HTTP: {OURS}, {relevant} relevant", {size: _cell(figure) for size, figure in over_http.items()}
    for name, of_peer in found.peers.items():
        yield f"HTTP, in turn: {name}", {size: _cell(figure) for size, figure in of_peer.items()}
    for callers in IN_FLIGHT:
        cells = {size: _wait(seen[callers]) for size, seen in found.waits.items()}
        yield f"HTTP wall ms p50 / p99, {callers} in flight", cells
    yield "memory growth, × body", {size: _spread(spread) for size, spread in found.growth.items()}


def _figures(
    names: Iterable[str], by_size: Mapping[int, Mapping[str, Figure]], mark: str, relevant: int
) -> Iterator[Row]:
    for name in names:
        cells = {size: _cell(seen[name]) for size, seen in by_size.items() if name in seen}
        yield f"{mark}{name}, {relevant} relevant", cells


def _cell(figure: Figure) -> str:
    ratio = f" {figure.ratio.median:.2f}×" if figure.ratio else ""
    return f"{_spread(figure.ms)}{ratio}"


def _spread(spread: Spread) -> str:
    digits = 1 if spread.median >= 100 else 2 if spread.median >= 0.1 else 3
    return f"{spread.median:.{digits}f} ({spread.p10:.{digits}f}–{spread.p90:.{digits}f})"


def _wait(waited: Waited) -> str:
    refused = f", {waited.refused} refused" if waited.refused else ""
    return f"{waited.p50:.1f} / {waited.p99:.1f}{refused}"


def _lines(found: Found) -> Iterator[str]:
    """What does not depend on the chart."""
    if found.slope_us and found.slope_ratio:
        yield f"one more irrelevant observation: {_spread(found.slope_us)} µs, {_spread(found.slope_ratio)} × orjson's"
    if found.worker:
        worker = found.worker
        yield f"one worker: {worker.first:.0f} MB after its first answer, {worker.later:.0f} MB after 100 more"
    for name, what in (("start", "start to first answer"), ("imports", "importing Flask and three models alone")):
        took = found.starts[name]
        yield f"{what}: CPU {_spread(took.cpu)} ms, wall {_spread(took.wall)} ms"
    for delay, seen in found.call_backs.items():
        yield _called_back(delay, seen)


def _called_back(delay: int, seen: CalledBack) -> str:
    return (
        f"call-back, {delay} ms for each query: all keys {_spread(seen.all_keys)} ms, {seen.slowest_key} alone "
        f"{_spread(seen.slowest)} ms, cost {_spread(seen.cost)}; with nothing kept {_spread(seen.nothing_kept)} ms"
    )
