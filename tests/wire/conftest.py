"""The application over a stand-in for the core, in process and on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from stub_service import MAX_BODY, Stub
from waitress import create_server

from cds_service.app import create_app
from cds_service.settings import Settings


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def settings() -> Settings:
    return Settings("demo", "http://127.0.0.1:8080", MAX_BODY, today=date(2026, 1, 31), assessment_extension=True)


@pytest.fixture
def app(stub: Stub, settings: Settings) -> Flask:
    return create_app(stub, settings)


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
