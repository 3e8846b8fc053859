"""The service with the testers' page on a loopback port, and the browser that opens it."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask
from waitress import create_server

from cds_service.sandbox import page as testers
from cds_service.settings import Settings
from cds_service.store.database import Database, database_url
from tests.stories import folder

sys.path.insert(0, str(Path(__file__).parent.parent / "wire"))
from calls import Observed, application

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def application_at(base: str, store: Path) -> Flask:
    """The service with the page, as demo mode has it."""
    service = Observed()
    database = Database(database_url(f"sqlite:///{store}"), time.monotonic)
    app = application(service, Settings("demo", base), database=database)
    if "testers_page" not in app.blueprints:
        books = app.extensions["cds_service"].books

        def enter(card: Any, decision: Any, patient: str) -> None:
            books.enter(card, decision, None, patient)

        app.register_blueprint(testers.testers_page(service, folder(), lambda: date(2026, 11, 1), enter))
    return app


@contextmanager
def served(store: Path) -> Iterator[str]:
    """The address of the page, on a port of its own, with its database at *store*."""
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = create_server(application_at(base, store), sockets=[listening], threads=4)

    def run() -> None:
        with suppress(OSError):  # waitress waits on the socket that is closed below
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield base
    server.close()
    for channel in list(server.active_channels.values()):
        channel.handle_close()
    server.task_dispatcher.shutdown()
    thread.join(timeout=5)
