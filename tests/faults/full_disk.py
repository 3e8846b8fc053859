"""F3: there is no room left under the store. Feedback is refused, hooks are answered, and then there is room again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.history import History, stored
from tests.faults.service import FEEDBACK as FEEDBACK_PATH
from tests.faults.service import HOOK, Answer, Line, Service, fresh_token, hook_body, running

SECONDS = 30.0
BLOCK = 1 << 12


class SmallDisk:
    """A file system of 12 MB."""

    how = "tmpfs of 12 MB"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, service: Service) -> None:
        with suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(BLOCK))

    def make_room(self, service: Service) -> None:
        (self.folder / "ballast").unlink()


class SmallFiles:
    """Where nothing may be mounted: files of the service may not grow."""

    how = "RLIMIT_FSIZE"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, service: Service) -> None:
        _, self._hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (BLOCK, self._hard))

    def make_room(self, service: Service) -> None:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (self._hard, self._hard))


@contextmanager
def small(folder: Path) -> Iterator[SmallDisk | SmallFiles]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        yield SmallFiles(folder)
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@dataclass(frozen=True)
class Figures:
    how: str
    refused: set[int]
    hooks: set[int]
    recovered_after: float
    same_process: bool
    faults: list[str]


def run(folder: Path, hooks: int) -> Figures:
    history = History()
    with small(folder / "disk") as disk:
        url = f"sqlite:///{disk.folder}/store.db"
        with running(folder, url, "production") as service:
            line, pid = Line(service.port), service.pid
            _until(lambda: _report(line, history) == 200)
            disk.fill(service)
            _until(lambda: _report(line, history) != 200)
            answered = {_call(line).status for _ in range(hooks)}
            refused = {_report(line, history) for _ in range(hooks)}
            disk.make_room(service)
            began = time.monotonic()
            _until(lambda: _report(line, history) == 200)
            recovered = time.monotonic() - began
            _until(lambda: _ready(line))
            same = service.pid == pid
        return Figures(disk.how, refused, answered, recovered, same, history.faults(stored(url)))


def _report(line: Line, history: History) -> int:
    operation = line.report(str(uuid.uuid4()), fresh_token(FEEDBACK_PATH))
    history.add(operation)
    return operation.status or 0


def _call(line: Line) -> Answer:
    answer = line.post(HOOK, hook_body(), fresh_token(HOOK))
    assert b'"uuid"' in answer.body or answer.status != 200
    return answer


def _ready(line: Line) -> bool:
    _call(line)
    return b'"ready"' in line.get("/readyz").body


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two tries


def main() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        seen = run(Path(folder), hooks=200)
    print(
        f"F3 disk full ({seen.how}): feedback {sorted(seen.refused)}, hooks {sorted(seen.hooks)}, feedback kept again "
        f"{seen.recovered_after:.1f} s after there was room, without restart; {len(seen.faults)} lost or doubled"
    )
    return met(seen)


def met(seen: Figures) -> bool:
    return seen.refused <= {503, 507} and seen.hooks == {200} and seen.same_process and not seen.faults


if __name__ == "__main__":
    sys.exit(not main())
