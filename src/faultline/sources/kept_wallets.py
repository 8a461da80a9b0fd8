"""Accounts that a sweep follows in, a file of them out, and back: what one run found the next one need not find again.

One file per venue, which names it. It is written whole or not at all. A file that is damaged, too large or another
venue's is not used, and that is logged: accounts are then found anew as they trade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ("KeptWallet", "read_wallets", "write_wallets")

_LOG = structlog.get_logger(__name__)
#: Accounts in a file, and its size, at most.
_WALLETS_MAX: Final = 100_000
_BYTES_MAX: Final = 64 * 1024 * 1024


class KeptWallet(msgspec.Struct, frozen=True, array_like=True):
    """One account.

    Attributes:
        wallet: its address.
        traded_ns: when it was last seen trading; None where never.
        asked_ns: when it was last asked for; None where never.
        held: coins it held then, and whether that position was large and near its liquidation price.
    """

    wallet: str
    traded_ns: int | None = None
    asked_ns: int | None = None
    held: dict[str, bool] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: Literal["faultline.wallets"]
    version: Literal[1]
    venue: str
    wallets: list[KeptWallet]


def write_wallets(path: Path, venue: str, wallets: Sequence[KeptWallet]) -> None:
    """Write the accounts of a venue; a disk that refuses is logged."""
    body = msgspec.json.encode(_File("faultline.wallets", 1, venue, list(wallets[:_WALLETS_MAX])))
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(body)
        partial.replace(path)
    except OSError as exc:
        _LOG.warning("accounts cannot be kept for the next run", path=str(path), error=str(exc))


def read_wallets(path: Path, venue: str) -> list[KeptWallet]:
    """The accounts of a venue that an earlier run kept; none where there was no such run."""
    try:
        with path.open("rb") as file:
            body = file.read(_BYTES_MAX + 1)
        if len(body) > _BYTES_MAX:
            msg = "the file is too large"
            raise ValueError(msg)
        found = msgspec.json.decode(body, type=_File)
        if found.venue != venue:
            msg = f"these are accounts of {found.venue[:40]!r}"
            raise ValueError(msg)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, msgspec.MsgspecError) as exc:
        _LOG.warning("kept accounts cannot be used", path=str(path), error=str(exc))
        return []
    return found.wallets[:_WALLETS_MAX]
