"""Requests made wrong by the byte, and bytes that were never a request."""

from __future__ import annotations

from random import Random


def damaged(rng: Random, body: bytes, other: bytes) -> bytes:
    """Bits flipped, parts cut, doubled, spliced from *other*; UTF-8 broken."""
    made = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        at = rng.randrange(len(made) + 1)
        kind = rng.randrange(7)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at : at + rng.choice((1, 2, 10, 1000))]
        elif kind == 2:
            made[at:at] = rng.choice(
                (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf", b"\\u0000", b"\xe2\x82")
            )
        elif kind == 3:
            made[at:at] = rng.choice(
                (b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"NaN", b"1e999", b"null", b"//")
            )
        elif kind == 4:
            made[at:at] = made[at : at + rng.choice((1, 20, 2000))]
        elif kind == 5:
            start = rng.randrange(len(other))
            made[at : at + 50] = other[start : start + rng.choice((5, 50, 500))]
        elif kind == 6:
            del made[at:]
    return bytes(made)


def nonsense(rng: Random) -> bytes:
    """Bytes of no request at all."""
    if rng.random() < 0.5:
        return rng.randbytes(rng.choice((0, 1, 2, 10, 100, 5000)))
    letters = [b" ", *b'{ } [ ] " , : \\ 1 e - null true "hook" \xc3'.split()]
    return b"".join(rng.choices(letters, k=rng.choice((1, 5, 50, 5000))))
