"""F16: the same call a thousand times over two processes that hash and tell the time differently."""

from __future__ import annotations

import http.client
import re
import sys

from tests.reliability.launch import HOOK, running, story

CALLS = 1000
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def answers(hash_seed: str, zone: str, calls: int) -> set[bytes]:
    """The different bodies among *calls* answers, uuids left out."""
    with running(PYTHONHASHSEED=hash_seed, TZ=zone) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        found = {_answer(connection) for _ in range(calls)}
        connection.close()
    return found


def _answer(connection: http.client.HTTPConnection) -> bytes:
    connection.request("POST", HOOK, story(), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    return str(response.status).encode() + b" " + _UUID.sub(b"uuid", body)


def main() -> bool:
    bodies = answers("1", "Pacific/Kiritimati", CALLS // 2) | answers("2", "Pacific/Pago_Pago", CALLS // 2)
    print(f"F16 same bytes: {len(bodies)} different body among {CALLS} over two processes, uuids left out")
    return len(bodies) == 1 and next(iter(bodies)).startswith(b'200 {"cards":[{')


if __name__ == "__main__":
    sys.exit(not main())
