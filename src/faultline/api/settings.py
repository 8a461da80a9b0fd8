"""How the API may be reached in, a checked and frozen value out."""

from __future__ import annotations

import ipaddress

import msgspec

from faultline.errors import ConfigError

__all__ = ("ApiSettings", "check_bind", "is_loopback")

_KEY_HINT = (
    "make one with `python -c 'from faultline.api.keys import new_key; print(new_key())'` and start with "
    "FAULTLINE_API_KEY=<the key>: only a salted hash of it is kept; or bind to 127.0.0.1"
)
_HASH_HINT = (
    "it is sha256:<salt>:<digest>, both hex; `python -c 'from faultline.api.keys import hash_key; "
    "print(hash_key(input()))'` reads a key from its input and prints one"
)


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses, keys and limits of the API."""

    #: Address to bind to; anything but loopback needs a key.
    host: str = "127.0.0.1"
    #: Port to bind to; 0 lets the system choose.
    port: int = 8787
    #: Version the documents carry.
    version: str = "0.0.0"
    #: Names the ``Host`` header may have besides loopback and ``host`` itself, without port.
    allowed_hosts: tuple[str, ...] = ()
    #: Origins besides our own that may write and open streams, as ``scheme://host:port``.
    allowed_origins: tuple[str, ...] = ()
    #: Salted hashes of keys (``keys.hash_key``); with any set, every request needs a key.
    key_hashes: tuple[str, ...] = ()
    #: Largest request body.
    body_bytes_max: int = 16_384
    #: Longest query string.
    query_chars_max: int = 2_048
    #: Longest path.
    path_chars_max: int = 512
    #: Longest a request may take.
    timeout_s: float = 20.0
    #: Slow questions (``/cell``, ``/profile``, encoding) answered at the same time.
    concurrent_max: int = 4
    #: WebSocket clients at the same time.
    clients_max: int = 64
    #: Messages that may wait for one client before it is dropped.
    client_queue_max: int = 1_024
    #: Maps one client may subscribe to.
    client_maps_max: int = 64
    #: Longest a single message to a client may take before it counts as slow.
    send_timeout_s: float = 10.0
    #: Seconds between two pings.
    heartbeat_s: float = 15.0
    #: Shortest time between two status messages to clients.
    status_interval_s: float = 0.25
    #: Silence of the engine after which answers say ``stale``.
    stale_after_s: float = 30.0


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_bind(settings: ApiSettings) -> None:
    """Refuse to be reachable from elsewhere without a key.

    Raises:
        ConfigError: the address is not loopback and no key is configured, or a hash is malformed.
    """
    if not is_loopback(settings.host) and not settings.key_hashes:
        raise ConfigError(f"binding to {settings.host} needs an API key", where="api.host", hint=_KEY_HINT)
    for stored in settings.key_hashes:
        parts = stored.split(":")
        if len(parts) != 3 or parts[0] != "sha256":
            raise ConfigError("a key hash is malformed", where="api.key_hashes", hint=_HASH_HINT)
