"""The application in process and on a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from calls import BASE_URL, MAX_BODY, TODAY, Observed, application
from flask import Flask
from flask.testing import FlaskClient
from waitress import create_server

from cds_service.settings import Settings
from cds_service.store.database import FOR_FEEDBACK, Database, database_url


@pytest.fixture
def service() -> Observed:
    return Observed()


@pytest.fixture
def settings() -> Settings:
    return Settings("demo", BASE_URL, max_body=MAX_BODY, today=TODAY)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(database_url(f"sqlite:///{tmp_path}/store.db"), time.monotonic, FOR_FEEDBACK)
    made.run(lambda connection: None)
    return made


@pytest.fixture
def app(service: Observed, settings: Settings, database: Database) -> Flask:
    return application(service, settings, database=database)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    """The application served by waitress on a loopback port."""
    server = create_server(app, host="127.0.0.1", port=0, threads=4, max_request_body_size=100 * MAX_BODY)

    def run() -> None:
        with suppress(OSError):  # waitress waits on the socket that is closed below
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()
    thread.join(timeout=5)
    for channel in list(server.active_channels.values()):
        channel.handle_close()
    server.task_dispatcher.shutdown()
