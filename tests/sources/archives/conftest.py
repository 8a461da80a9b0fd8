"""Archives of the recorded shapes with values made up here, and a way to run an importer without a tape."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from faultline.messages import Kind
from faultline.sources.archives.column_files import ColumnFile
from faultline.sources.archives.formats import FORMATS
from faultline.sources.archives.report import Selection, Tally
from faultline.units import parse_time_ns

HEADERS = {
    "force_orders": "symbol,ts,side,price,qty,notional",
    "minute_ohlc": "symbol,minute_key,ts,o,h,l,c",
    "minute_inputs": "symbol,timestamp_utc,minute_key,src,high,low,close,buy_vol,sell_vol,oi_change,ok",
    "minute_aggression": (
        "symbol,timestamp_utc,minute_key,src,trade_count,buy_notional_usd,sell_notional_usd,"
        "total_notional_usd,fallback_used"
    ),
    "calibrator_events": "symbol,timestamp_utc,ts,side,event_price,qty,src_price_at_event,src_source",
    "oi_5m": "t,oi,oi_usd",
    "funding": "ts,rate",
    "regime_1h": (
        "timestamp,datetime_utc,price_open,price_high,price_low,price_close,liquidation_long_usd,"
        "liquidation_short_usd,liquidation_total_usd,funding_close,oi_close,cvd_close"
    ),
}


def minute(text: str) -> int:
    """Minutes since 1970 of an ISO time."""
    return parse_time_ns(text) // 60_000_000_000


def second(text: str) -> float:
    """Seconds since 1970 of an ISO time."""
    return parse_time_ns(text) / 1e9


class Folder:
    """A folder of delimited files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self, name: str, lines: list[str] | list[tuple], *, header: str | None = None, gz: bool = False
    ) -> Path:
        """Write lines (or tuples) under the header of the file's shape."""
        shape = name.partition("_")[2] if name.partition("_")[2] in {"oi_5m", "funding"} else name
        rows = [line if isinstance(line, str) else ",".join(map(str, line)) for line in lines]
        text = "\n".join([HEADERS[shape] if header is None else header, *rows]) + "\n"
        path = self.path / (f"{name}.csv.gz" if gz else f"{name}.csv")
        path.write_bytes(gzip.compress(text.encode()) if gz else text.encode())
        return path

    def bars(self, closes: dict[str, list[tuple[str, float]]]) -> Path:
        """Flat ``minute_ohlc`` bars: per asset, (end of the bar, price)."""
        lines = [
            (asset, minute(end), minute(end) * 60 + 0.05, price, price, price, price)
            for asset, bars in closes.items()
            for end, price in bars
        ]
        return self.write("minute_ohlc", lines)

    def minutes(self, asset: str, start: str, count: int, price: float = 80_000.0) -> Path:
        """``count`` flat bars of one asset from ``start`` on."""
        first = minute(start)
        lines = [(asset, first + k + 1, (first + k + 1) * 60 + 0.05, *[price] * 4) for k in range(count)]
        return self.write("minute_ohlc", lines)


class Result:
    """Messages and counts of one pass."""

    def __init__(self, batches, tally: Tally) -> None:
        self.batches = batches
        self.tally = tally

    def rows(self, kind: Kind, instrument_id: str):
        """Rows of one kind and instrument; empty where there are none."""
        found = [b.rows for b in self.batches if b.kind is kind and b.instrument_id == instrument_id]
        return np.concatenate(found) if found else np.empty(0)

    def gaps(self, reason: str) -> list[tuple[str, str, int, int]]:
        """(scope, kind, from, to) of the gaps with a reason."""
        return [(g.scope, g.kind, g.from_ns, g.to_ns) for g in sorted(self.tally.gaps) if g.reason == reason]


def run(format_name: str, *paths: Path, **selected) -> Result:
    """One pass of an importer over files or folders."""
    importer = FORMATS[format_name]
    files, _ignored = importer.find(list(paths))
    tally = Tally()
    assets = selected.pop("assets", None)
    selection = Selection(assets=None if assets is None else frozenset(assets), **selected)
    batches = []
    for piece in importer.read([ColumnFile(path, importer.limits) for path in files], selection, tally):
        for batch in piece:
            tally.write(batch)
            batches.append(batch)
    return Result(batches, tally)


@pytest.fixture
def folder(tmp_path) -> Folder:
    path = tmp_path / "archive"
    path.mkdir()
    return Folder(path)
