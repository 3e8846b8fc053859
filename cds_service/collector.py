"""Python's collector of cyclic garbage rests while the service is loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """What is loaded within stays for good: the collector looks through none of it, not now and not later.

    Importing leaves a few thousand objects that are garbage; going through all that is not costs more than they do.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
