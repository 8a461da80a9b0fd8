"""The path of a dump of Binance's public archive in; its symbol, dataset, days and market out.

A name says symbol, dataset and day or month, not the market: ``BTCUSDT-1m-2024-01.zip`` is a spot or a USD-M file.
The folders of the archive (``data/spot``, ``data/futures/um``, ``data/futures/cm``) say it; without them the content
has to: only futures dumps have a line of column names, and only spot dumps count microseconds (since 2025).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Final

from faultline.errors import ImportRejected
from faultline.instruments import asset_of
from faultline.sources.archives.importer import stem_of
from faultline.sources.archives.venue_contracts import contract_of
from faultline.units import DAY_NS, parse_duration_ns, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faultline.instruments import Instrument
    from faultline.sources.archives.column_files import ColumnFile
    from faultline.sources.archives.venue_contracts import VenueContract

__all__ = ("NAME_PATTERN", "Dump", "Market", "check_days", "check_digest", "dump_of", "market_of")

_INTERVAL: Final = "1s|1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d"
_SYMBOL: Final = r"([A-Z0-9]{2,24}(?:_(?:PERP|\d{6}))?)"
_DATASET: Final = f"(aggTrades|metrics|bookDepth|liquidationSnapshot|fundingRate|{_INTERVAL})"
_DAYS: Final = r"(\d{4}-\d{2}(?:-\d{2})?)"
#: Names of dumps, without their suffix: symbol, dataset, day or month.
NAME_PATTERN: Final = f"{_SYMBOL}-{_DATASET}-{_DAYS}"
_VENUES: Final = {"um": "binance", "cm": "binance-coinm", "spot": "binance-spot"}
_SPOT_IN_USD: Final = re.compile(r"[A-Z0-9]+(USDT|USDC|FDUSD|BUSD|TUSD)")
_CHECKSUM_BYTES_MAX: Final = 4_096
_READ_BYTES: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Dump:
    """One file of the archive; its rows are of ``[from_ns, to_ns)``."""

    file: ColumnFile
    symbol: str
    dataset: str
    from_ns: int
    to_ns: int
    #: um, cm or spot, as far as symbol and folders say it; else empty.
    market: str

    @property
    def interval_ns(self) -> int:
        """Length of a bar, of a dataset that is one."""
        return parse_duration_ns(self.dataset)


@dataclasses.dataclass(frozen=True, slots=True)
class Market:
    """Where a dump's rows were traded. ``contract`` is None for spot."""

    name: str
    instrument_id: str
    asset: str
    contract: VenueContract | None
    #: False for a pair whose price is not in USD.
    is_usd: bool

    @property
    def instrument(self) -> Instrument | None:
        """The contract's facts, where there is one."""
        return None if self.contract is None else self.contract.instrument


def dump_of(file: ColumnFile) -> Dump:
    """What a file's name and folders say about it.

    Raises:
        ImportRejected: the name holds an impossible date.
    """
    found = re.fullmatch(NAME_PATTERN, stem_of(file.path))
    if found is None:
        msg = f"{file.name} is not the name of a dump"
        raise ValueError(msg)
    symbol, dataset, days = found.groups()
    try:
        start = dt.date.fromisoformat(days if len(days) == 10 else f"{days}-01")
    except ValueError as exc:
        raise ImportRejected(
            f"the name holds the impossible date {days}",
            where=file.name,
            hint="Keep the archive's own names.",
        ) from exc
    from_ns = parse_time_ns(start.isoformat())
    if len(days) == 10:
        to_ns = from_ns + DAY_NS
    else:
        to_ns = parse_time_ns((start.replace(day=28) + dt.timedelta(days=4)).replace(day=1).isoformat())
    return Dump(file, symbol, dataset, from_ns, to_ns, _named_market(file.path, symbol))


def _named_market(path: Path, symbol: str) -> str:
    if re.fullmatch(r"[A-Z0-9]+USD_(PERP|\d{6})", symbol):
        return "cm"
    if "_" in symbol:
        return "um"
    steps = set(itertools.pairwise(path.parts[:-1]))
    for market in ("um", "cm"):
        if ("futures", market) in steps:
            return market
    return "spot" if steps & {("spot", "daily"), ("spot", "monthly")} else ""


def market_of(symbol: str, name: str) -> Market:
    """The market um, cm or spot of a symbol."""
    venue = _VENUES[name]
    instrument_id = f"{venue}:{symbol}"
    contract = contract_of(venue, symbol)
    is_usd = contract is not None or (name == "spot" and bool(_SPOT_IN_USD.fullmatch(symbol)))
    asset = asset_of(instrument_id, {}) if contract is None else contract.instrument.asset
    return Market(name, instrument_id, asset, contract, is_usd)


def check_days(dumps: Sequence[Dump]) -> None:
    """Refuse files that hold the same twice: a month beside its days, bars of two lengths, trades and their bars.

    Raises:
        ImportRejected: two files of one symbol would count the same trades.
    """
    latest: dict[tuple[str, str, str], Dump] = {}
    lengths: dict[tuple[str, str], Dump] = {}
    traded = {(dump.symbol, dump.market): dump for dump in dumps if dump.dataset == "aggTrades"}
    for dump in sorted(dumps, key=lambda dump: (dump.from_ns, dump.to_ns)):
        before = latest.setdefault((dump.symbol, dump.dataset, dump.market), dump)
        if before is not dump and dump.from_ns < before.to_ns:
            raise ImportRejected(
                f"{before.file.path.name} and {dump.file.path.name} hold the same days",
                where=dump.file.name,
                hint="Give the month or its days, not both.",
            )
        latest[dump.symbol, dump.dataset, dump.market] = dump
        if dump.dataset[0].isdigit():
            if (dump.symbol, dump.market) in traded:
                raise ImportRejected(
                    f"trades and bars of {dump.symbol} would count every trade twice",
                    where=dump.file.name,
                    hint="Give one of the two.",
                )
            other = lengths.setdefault((dump.symbol, dump.market), dump)
            if other.dataset != dump.dataset:
                raise ImportRejected(
                    f"bars of {other.dataset} and of {dump.dataset} of {dump.symbol} would count every trade twice",
                    where=dump.file.name,
                    hint="Give bars of one length; 1m is the best.",
                )


def check_digest(path: Path) -> None:
    """Compare a dump with the ``.CHECKSUM`` file beside it, where there is one.

    Raises:
        ImportRejected: they differ, or the file of the checksum is not one.
    """
    beside = path.with_name(path.name + ".CHECKSUM")
    if not beside.is_file():
        return
    with beside.open("rb") as stream:
        text = stream.read(_CHECKSUM_BYTES_MAX)
    found = re.fullmatch(rb"([0-9a-fA-F]{64})[ \t]+\*?([^\s/]+)\s*", text)
    if found is None or found[2] != path.name.encode():
        raise ImportRejected(
            f"not the checksum of {path.name}",
            where=str(beside),
            hint="Fetch both files again, or delete this one.",
        )
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_READ_BYTES):
            digest.update(piece)
    if digest.hexdigest() != found[1].decode().lower():
        raise ImportRejected(
            "the file differs from its checksum",
            where=str(path),
            hint="Fetch the file and its .CHECKSUM again; the archive replaces files now and then.",
        )
