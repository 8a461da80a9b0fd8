"""Depth frames as Binance and Bybit write them, and the same frames spoilt at random places."""

from __future__ import annotations

import msgspec

from faultline.sources.depth_bytes import DepthReader

_CHANGE = '{"e":"depthUpdate","E":#,"T":#,"s":"$","U":#,"u":#,"pu":#,"b":%,"a":%}'
_BOOK = '{"topic":"?","type":"$","ts":#,"data":{"s":"$","b":%,"a":%,"u":#,"seq":#}'
LAYOUTS = (_CHANGE, '{"stream":"?","data":' + _CHANGE + "}", _BOOK + ',"cts":#}', _BOOK + "}")

#: What a mutation may put in: all that a JSON number or text may be made of, and what it may not.
PIECES = (
    b"0", b"1", b"9", b"00", b"0.", b".0", b".", b"-", b"+", b"e5", b"E-3", b"1e400", b"NaN", b"inf", b"null", b"true",
    b" ", b"\t", b"\n", b"\\u0030", b"\\", b'"', b",", b":", b"[", b"]", b"{", b"}", b"[]", b'["1","2"]', b'["1"]',
    b"123456789012345", b"9007199254740993", b"99999999999999999999", b"0.1234567890123456789", b"000000000000000001",
    b"0.00000000000000000000001", b"\x00", b"\x7f", b"\xff", b"\xc3\xa9", b'"u":7,', b'"pu":8,', b'"s":"ETHUSDT",',
)  # fmt: skip
CHANCES = (0.45, 0.6, 0.7, 0.8, 0.9)


class Change(msgspec.Struct):
    E: int
    T: int
    s: str
    U: int
    u: int
    pu: int
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class Combined(msgspec.Struct):
    data: Change


class Book(msgspec.Struct):
    s: str
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    u: int
    seq: int


class BookFrame(msgspec.Struct):
    type: str
    ts: int
    data: Book
    cts: int | None = None


_DECODERS = {type_: msgspec.json.Decoder(type_, strict=False) for type_ in (Change, Combined, BookFrame)}


def readers():
    """One reader per venue's layouts."""
    return DepthReader(*LAYOUTS[:2]), DepthReader(*LAYOUTS[2:])


def slow(frame, is_bybit):
    """Texts, numbers and levels of a frame as the JSON decoder reads them; None where it rejects it."""
    kinds = (BookFrame,) if is_bybit else (Combined, Change)
    for kind in kinds:
        try:
            value = _DECODERS[kind].decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(value, BookFrame):
            inner = value.data
            cts = [] if value.cts is None else [value.cts]
            return [value.type, inner.s], [value.ts, inner.u, inner.seq, *cts], inner.b, inner.a
        inner = value.data if isinstance(value, Combined) else value
        return [inner.s], [inner.E, inner.T, inner.U, inner.u, inner.pu], inner.b, inner.a
    return None


def random_frame(rng, n_levels):
    """A frame of one of the two venues, and whether it is of Bybit."""
    is_bybit = rng.random() < 0.5
    sides = [
        [[_decimal(rng, 6), _decimal(rng, 4)] for _ in range(rng.randrange(n_levels + 1))] for _ in range(2)
    ]
    ids = [rng.randrange(10 ** rng.randrange(1, 16)) for _ in range(5)]
    if is_bybit:
        body = {"s": "BTCUSDT", "b": sides[0], "a": sides[1], "u": ids[0], "seq": ids[1]}
        frame = {
            "topic": "orderbook.200.BTCUSDT",
            "type": rng.choice(("delta", "snapshot")),
            "ts": ids[2],
            "data": body,
        }
        if rng.random() < 0.5:
            frame["cts"] = ids[3]
    else:
        frame = {
            "e": "depthUpdate",
            "E": ids[0],
            "T": ids[1],
            "s": "BTCUSDT",
            "U": ids[2],
            "u": ids[3],
            "pu": ids[4],
        }
        frame |= {"b": sides[0], "a": sides[1]}
        if rng.random() < 0.5:
            frame = {"stream": "btcusdt@depth@100ms", "data": frame}
    return msgspec.json.encode(frame), is_bybit


def _decimal(rng, digits):
    whole = str(rng.randrange(10 ** rng.randrange(digits + 1)))
    places = rng.randrange(10)
    return f"{whole}.{rng.randrange(10**places):0{places}d}" if places else whole


def mutated(frame, rng):
    """The frame after one mutation, or two; sometimes only a digit is another one."""
    body = bytearray(frame)
    for _ in range(1 + (rng.random() < 0.2)):
        at, kind = rng.randrange(len(body) + 1), rng.random()
        if kind < CHANCES[0]:
            body[at:at] = rng.choice(PIECES)
        elif kind < CHANCES[1]:
            piece = rng.choice(PIECES)
            body[at : at + len(piece)] = piece
        elif kind < CHANCES[2]:
            del body[at : at + rng.randrange(1, 4)]
        elif kind < CHANCES[3]:
            digits = [place for place in range(at, min(at + 60, len(body))) if 48 <= body[place] <= 57]
            if digits:
                body[rng.choice(digits)] = rng.randrange(48, 58)
        elif kind < CHANCES[4]:
            body[at : at + 1] = bytes([rng.randrange(256)])
        else:
            other = rng.randrange(len(body) + 1)
            body[at:at] = body[other : other + rng.randrange(30)]
        if not body:
            return b""
    return bytes(body)
