"""A key in, a salted hash to keep or a yes or no out; the key itself is never stored.

Keys are 256 random bits, so a fast hash with a salt cannot be searched; words people choose are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from faultline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("hash_key", "is_known_key", "new_key", "presented_key")

_KEY_CHARS_MIN: Final = 24
_KEY_CHARS_MAX: Final = 256
_SALT_BYTES: Final = 16


def new_key() -> str:
    """A random key of 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """``sha256:<salt>:<digest>`` of a key, to be put into the configuration.

    Raises:
        ConfigError: the key is too short to be random.
    """
    if not _KEY_CHARS_MIN <= len(key) <= _KEY_CHARS_MAX:
        raise ConfigError(
            f"an API key has {_KEY_CHARS_MIN} to {_KEY_CHARS_MAX} characters",
            where="key",
            hint="use new_key()",
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"sha256:{salt.hex()}:{_digest(salt, key)}"


def is_known_key(key: str, hashes: Iterable[str]) -> bool:
    """Whether ``key`` belongs to one of ``hashes``; takes as long for a wrong key as for a right one."""
    found = False
    for stored in hashes:
        _, salt, digest = stored.split(":")
        found |= hmac.compare_digest(_digest(bytes.fromhex(salt), key[:_KEY_CHARS_MAX]), digest)
    return found


def presented_key(headers: dict[bytes, bytes]) -> str:
    """The key a request shows: ``X-API-Key``, ``Authorization: Bearer``, or the password of ``Basic``; else
    empty.

    Browsers ask for a Basic password by themselves and send it with every request and stream of the page.
    """
    direct = headers.get(b"x-api-key")
    if direct is not None:
        return direct.decode("latin-1")
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("latin-1").partition(":")[2]
        except binascii.Error:
            return ""
    return ""


def _digest(salt: bytes, key: str) -> str:
    return hashlib.sha256(salt + key.encode("utf-8", "surrogatepass")).hexdigest()
