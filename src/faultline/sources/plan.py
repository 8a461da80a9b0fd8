"""What to connect to, say, expect and poll at a venue: plans that a feed makes and the supervisor carries out."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.messages import Kind

__all__ = ("Beat", "Heartbeat", "Limits", "Poll", "Request", "SocketPlan", "Ticket", "Unzip", "Wanted")


class Unzip(enum.StrEnum):
    """How binary frames of a venue are compressed."""

    NONE = "none"
    GZIP = "gzip"
    #: Raw deflate, no header.
    DEFLATE = "deflate"


class Beat(enum.StrEnum):
    """Who keeps the connection alive, and how."""

    #: Nobody; WebSocket ping frames of the venue are answered by the socket library.
    SOCKET = "websocket ping"
    #: We send ``frame`` every ``every_s``; the venue answers.
    OURS = "we ping"
    #: The venue sends a text ping that the mapper answers with ``Reply``.
    THEIRS = "they ping"


@dataclasses.dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a connection is kept alive.

    Attributes:
        beat: who pings.
        every_s: seconds between our pings, or the longest silence of a venue that pings us.
        frame: our ping, made from the time in ns; None where we send none (``Beat.SOCKET``: an empty WebSocket ping).
    """

    beat: Beat
    every_s: float
    frame: Callable[[int], bytes] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What the venue allows one address; all per venue, shared by its connections.

    Attributes:
        connects_per_minute: new connections.
        subscriptions_per_socket: channels x symbols on one connection.
        frames_per_second: frames we may send on one connection.
        socket_life_s: connections are replaced before the venue cuts them at this age; inf where it does not.
        rest_weight: budget of ``rest_window_s`` seconds, in the venue's own weights.
        rest_window_s: length of that window.
    """

    connects_per_minute: int = 30
    subscriptions_per_socket: int = 200
    frames_per_second: float = 5.0
    socket_life_s: float = float("inf")
    rest_weight: int = 600
    rest_window_s: float = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One REST request; ``path`` begins with ``/`` and is joined to the address ``base`` of ``Venue.rest``."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    #: JSON body; with it the request is a POST.
    body: bytes | None = None
    #: Cost in the venue's own weights.
    weight: int = 1
    base: str = "main"
    headers: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Poll:
    """A REST request that is repeated; its answers go to ``VenueMapper.map_answer`` with ``channel`` and ``symbol``."""

    channel: str
    symbol: str
    request: Request
    every_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a venue wants to be asked for by REST before every new connection, e.g. a token for its address.

    Attributes:
        request: asked for anew each time.
        address: the plan's address and the body of the answer in, the address to dial out; it may raise
            ``msgspec.MsgspecError`` or ``ValueError`` where the answer has no ticket.
    """

    request: Request
    address: Callable[[str, bytes], str]


@dataclasses.dataclass(frozen=True, slots=True)
class SocketPlan:
    """One connection.

    Attributes:
        name: unique within the venue, e.g. ``public-0``.
        url: full address; it begins with one of the addresses in ``Venue.sockets``.
        subscribe: frames to send, in order, after ``Limits.frames_per_second``.
        expects: keys that must be confirmed (see ``Confirmed``); every one of them is ``channel|symbol``.
        channels: rows are expected on these channels; seconds of silence after which one is stale. Channels on which
            silence is normal (liquidations) are told with inf.
        singly: the topics of one of ``expects``, as the frame that asks for each alone by the key that its answer will
            name; asked for when the request is refused. Empty, or one, where it cannot be taken apart; None where no
            request of the plan can.
        resubscribe: frames that ask for the book of a symbol anew; empty where a REST snapshot mends it.
        heartbeat: how it is kept alive.
        unzip: compression of binary frames.
        headers: of the handshake.
        ticket: completes the address; None where it is complete.
    """

    name: str
    url: str
    subscribe: tuple[bytes, ...]
    expects: frozenset[str]
    channels: Mapping[str, float]
    heartbeat: Heartbeat
    resubscribe: Callable[[str], Sequence[bytes]] | None = None
    unzip: Unzip = Unzip.NONE
    headers: tuple[tuple[str, str], ...] = ()
    ticket: Ticket | None = None
    singly: Callable[[str], Mapping[str, bytes]] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What to get of a venue.

    Attributes:
        contracts: instruments of the venue, already narrowed to the wanted assets.
        kinds: kinds of rows to get.
        sockets: WebSocket addresses by name (``Venue.sockets``, or what the configuration put in their place).
    """

    contracts: Sequence[Instrument]
    kinds: frozenset[Kind]
    sockets: Mapping[str, str]
