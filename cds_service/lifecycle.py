"""What the server and the pages about it both know: whether the process is to end, and what it refused."""

from __future__ import annotations

import threading


class Lifecycle:
    """Whether the process was told to stop; a second time means at once. *refused* counts calls it had no room for."""

    def __init__(self) -> None:
        self._told = 0
        self._lock = threading.Lock()
        self.refused = 0

    def stop(self) -> None:
        self._told += 1

    def refuse(self) -> None:
        with self._lock:
            self.refused += 1

    @property
    def draining(self) -> bool:
        return self._told > 0

    @property
    def hurried(self) -> bool:
        return self._told > 1
