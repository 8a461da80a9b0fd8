"""Names and dates in, a self-signed certificate out, so that a client can be shown one that it must refuse.

X.509 (RFC 5280) in DER, signed with ECDSA (FIPS 186-5) on P-256, made anew for every run: no key lies in the
repository and no command has to be installed. The arithmetic leaks its key through its timing: for tests only.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import ipaddress
import secrets
import ssl
import tempfile
from pathlib import Path
from typing import Final

from faultline.units import DAY_NS

__all__ = ("Certificate", "make_certificate", "server_context", "trusting_context")

# Curve P-256 of FIPS 186-5: y^2 = x^3 - 3x + b over the field of _P, with a base point of order _N.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BASE: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_Point = tuple[int, int] | None

# Tags of DER.
_INTEGER, _BITS, _OCTETS, _OBJECT, _TEXT, _TIME = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x18
_SEQUENCE, _SET = 0x30, 0x31

# Object identifiers, encoded.
_EC_PUBLIC_KEY: Final = bytes.fromhex("2a8648ce3d0201")
_PRIME256V1: Final = bytes.fromhex("2a8648ce3d030107")
_ECDSA_SHA256: Final = bytes.fromhex("2a8648ce3d040302")
_HOST_NAME: Final = bytes.fromhex("550403")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("551d11")
_BASIC_CONSTRAINTS: Final = bytes.fromhex("551d13")


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, both as PEM."""

    certificate_pem: str
    key_pem: str


def make_certificate(
    now_ns: int, *, host: str = "127.0.0.1", from_days: float = -1.0, until_days: float = 365.0
) -> Certificate:
    """A self-signed certificate.

    Args:
        now_ns: the present.
        host: the one name, or IP address, that it holds for.
        from_days: its begin, in days from the present.
        until_days: its end, the same; a negative one gives a certificate that has expired.
    """
    secret = secrets.randbelow(_N - 1) + 1
    point = b"\x04" + b"".join(part.to_bytes(32, "big") for part in _multiply(secret, _BASE) or ())
    algorithm = _der(_SEQUENCE, _der(_OBJECT, _ECDSA_SHA256))
    name = _name(host)
    times = (_time(now_ns + int(days * DAY_NS)) for days in (from_days, until_days))
    key_algorithm = _der(_SEQUENCE, _der(_OBJECT, _EC_PUBLIC_KEY), _der(_OBJECT, _PRIME256V1))
    unsigned = _der(
        _SEQUENCE,
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(120) + 1),
        algorithm,
        name,
        _der(_SEQUENCE, *times),
        name,
        _der(_SEQUENCE, key_algorithm, _der(_BITS, b"\x00", point)),
        _der(0xA3, _der(_SEQUENCE, _alternative(host), _authority())),
    )
    signed = _der(_SEQUENCE, unsigned, algorithm, _der(_BITS, b"\x00", _sign(unsigned, secret)))
    key = _der(
        _SEQUENCE,
        _integer(1),
        _der(_OCTETS, secret.to_bytes(32, "big")),
        _der(0xA0, _der(_OBJECT, _PRIME256V1)),
        _der(0xA1, _der(_BITS, b"\x00", point)),
    )
    return Certificate(_pem("CERTIFICATE", signed), _pem("EC PRIVATE KEY", key))


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """The context of a server that shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.pem"
        path.write_text(certificate.key_pem + certificate.certificate_pem, encoding="ascii")
        context.load_cert_chain(path)
    return context


def trusting_context(certificate: Certificate) -> ssl.SSLContext:
    """The context of a client that trusts this certificate and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate.certificate_pem)
    return context


# ---------------------------------------------------------------- signing


def _sign(message: bytes, secret: int) -> bytes:
    """ECDSA of SHA-256: r = x(kG), s = (digest + r secret) / k, both modulo the order."""
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _multiply(nonce, _BASE)
        r = point[0] % _N if point else 0
        s = pow(nonce, -1, _N) * (digest + r * secret) % _N
        if r and s:
            return _der(_SEQUENCE, _integer(r), _integer(s))


def _multiply(factor: int, point: _Point) -> _Point:
    total: _Point = None
    while factor:
        if factor & 1:
            total = _add(total, point)
        point, factor = _add(point, point), factor >> 1
    return total


def _add(a: _Point, b: _Point) -> _Point:
    """Sum of two points; None is the point at infinity."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0] and (a[1] + b[1]) % _P == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, _P) % _P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P) % _P
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


# ---------------------------------------------------------------- writing


def _der(tag: int, *parts: bytes) -> bytes:
    """Tag, length and contents."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _time(at_ns: int) -> bytes:
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=at_ns // 1_000_000_000)
    return _der(_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


def _name(host: str) -> bytes:
    pair = _der(_SEQUENCE, _der(_OBJECT, _HOST_NAME), _der(_TEXT, host.encode()))
    return _der(_SEQUENCE, _der(_SET, pair))


def _alternative(host: str) -> bytes:
    try:
        name = _der(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        name = _der(0x82, host.encode())
    return _der(_SEQUENCE, _der(_OBJECT, _ALTERNATIVE_NAMES), _der(_OCTETS, _der(_SEQUENCE, name)))


def _authority() -> bytes:
    """It may sign, so that a client can be told to trust it: it signs itself."""
    is_authority = _der(_SEQUENCE, b"\x01\x01\xff")
    return _der(_SEQUENCE, _der(_OBJECT, _BASIC_CONSTRAINTS), b"\x01\x01\xff", _der(_OCTETS, is_authority))


def _pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
