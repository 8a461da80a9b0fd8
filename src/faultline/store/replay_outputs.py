"""Columns, zones, events and forecasts of a replay in, Parquet files and a manifest with their hashes out.

Files (``docs/reference/replay.md`` documents every column): ``columns.parquet``, ``zones.parquet``,
``events.parquet``, ``forecasts.parquet``, ``manifest.json``. Files are written beside and renamed when whole, so a
killed replay leaves no half output under its final name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultline.errors import StoreError
from faultline.heatmap.forecast import GENESIS, Forecast
from faultline.store.zones import seen_ns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from faultline.signals.notices import Notice
    from faultline.zones.zone import Zone

__all__ = ("ReplayOutputs", "read_forecasts")

_COLUMNS: Final = pa.schema(
    [
        ("scope", pa.string()),
        ("timeframe", pa.string()),
        ("plane", pa.string()),
        ("side", pa.string()),
        ("start_ns", pa.int64()),
        ("row_usd", pa.float64()),
        ("first_row", pa.int32()),
        ("usd", pa.list_(pa.float32())),
    ]
)
_EVENTS: Final = pa.schema(
    [
        ("id", pa.int64()),
        ("type", pa.string()),
        ("asset", pa.string()),
        ("instrument", pa.string()),
        ("side", pa.string()),
        ("event_ns", pa.int64()),
        ("received_ns", pa.int64()),
        ("price_usd", pa.float64()),
        ("trigger_usd", pa.float64()),
        ("notional_usd", pa.float64()),
        ("data", pa.string()),
        ("simulated", pa.bool_()),
    ]
)
_ZONES: Final = pa.schema(
    [
        ("id", pa.string()),
        ("scope", pa.string()),
        ("side", pa.string()),
        ("state", pa.string()),
        ("seen_ns", pa.int64()),
        ("born_ns", pa.int64()),
        ("since_start", pa.bool_()),
        ("low_usd", pa.float64()),
        ("high_usd", pa.float64()),
        ("peak_usd", pa.float64()),
        ("notional_usd", pa.float64()),
        ("lo_usd", pa.float64()),
        ("hi_usd", pa.float64()),
        ("distance_ratio", pa.float64()),
        ("density_ratio", pa.float64()),
        ("density_level", pa.int8()),
        ("trend", pa.string()),
        ("share_ratio", pa.float64()),
        ("touches", pa.int32()),
        ("bands", pa.string()),
        ("venues", pa.string()),
        ("opened_usd", pa.float64()),
        ("closed_usd", pa.float64()),
        ("swept_usd", pa.float64()),
        ("reestimated_usd", pa.float64()),
        ("end_reason", pa.string()),
    ]
)
_FORECASTS: Final = pa.schema(
    [
        ("asset", pa.string()),
        ("issued_ns", pa.int64()),
        ("horizon_ns", pa.int64()),
        ("price_usd", pa.float64()),
        ("first_bucket", pa.int64()),
        ("long_usd", pa.list_(pa.float32())),
        ("short_usd", pa.list_(pa.float32())),
        ("long_remaining", pa.list_(pa.float32())),
        ("short_remaining", pa.list_(pa.float32())),
        ("params_sha256", pa.string()),
        ("previous_sha256", pa.string()),
        ("sha256", pa.string()),
    ]
)
_SCHEMAS: Final = {"columns": _COLUMNS, "zones": _ZONES, "events": _EVENTS, "forecasts": _FORECASTS}
_FLOWS: Final = ("opened_usd", "closed_usd", "swept_usd", "reestimated_usd")


class _Table:
    """One Parquet file that grows by row groups and is renamed when closed."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / f"{name}.parquet"
        self.rows = 0
        self._partial = folder / f".{name}.parquet.partial"
        self._schema = _SCHEMAS[name]
        self._writer = pq.ParquetWriter(self._partial, self._schema, compression="zstd", compression_level=3)
        self._pending: list[dict[str, Any]] = []

    def append(self, row: dict[str, Any]) -> None:
        self._pending.append(row)
        if len(self._pending) >= 2048:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            arrays = [pa.array([row[f.name] for row in self._pending], type=f.type) for f in self._schema]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self.rows += len(self._pending)
            self._pending.clear()

    def close(self) -> dict[str, Any]:
        self.flush()
        self._writer.close()
        self._partial.replace(self.path)
        return {"rows": self.rows, "sha256": hashlib.sha256(self.path.read_bytes()).hexdigest()}

    def abandon(self) -> None:
        self._writer.close()
        self._partial.unlink(missing_ok=True)


class ReplayOutputs:
    """Writes the outputs of one replay.

    Args:
        folder: made if missing; existing outputs in it are replaced when the new ones are whole.

    Raises:
        StoreError: the folder cannot be written.
    """

    def __init__(self, folder: Path, *, simulated: bool) -> None:
        self.folder = folder
        self.simulated = simulated
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._tables = {name: _Table(folder, name) for name in _SCHEMAS}
        except OSError as exc:
            msg = f"cannot write the outputs of the replay: {exc.strerror}"
            raise StoreError(
                msg, where=str(folder), hint="Choose a folder you can write to with --out."
            ) from exc
        self._events = 0

    def write_columns(
        self,
        *,
        scope: str,
        timeframe: str,
        plane: str,
        row_usd: float,
        first_row: int,
        start_ns: NDArray[np.int64],
        usd: NDArray[np.float64],
    ) -> None:
        """Closed columns, ``usd`` of shape (n, 2, P); empty rows at both ends and empty columns are left out."""
        for k in range(len(start_ns)):
            for side, name in enumerate(("long", "short")):
                values = usd[k, side]
                used = np.flatnonzero(values)
                if not len(used):
                    continue
                low, high = int(used[0]), int(used[-1]) + 1
                self._tables["columns"].append(
                    {
                        "scope": scope,
                        "timeframe": timeframe,
                        "plane": plane,
                        "side": name,
                        "start_ns": int(start_ns[k]),
                        "row_usd": row_usd,
                        "first_row": first_row + low,
                        "usd": values[low:high].astype(np.float32),
                    }
                )

    def write_event(self, kind: str, asset: str, **fields: Any) -> None:
        """One event; ``fields`` are columns of ``events.parquet``, null where they are not given."""
        row = dict.fromkeys(_EVENTS.names) | {"id": self._events, "type": kind, "asset": asset} | fields
        self._tables["events"].append(row | {"simulated": self.simulated})
        self._events += 1

    def write_notice(self, notice: Notice) -> None:
        """One event of the engine's catalogue."""
        fields = notice.data
        self.write_event(
            str(notice.kind),
            notice.asset,
            instrument=fields.get("instrument"),
            side=fields.get("side"),
            received_ns=notice.at_ns,
            price_usd=fields.get("price_usd"),
            trigger_usd=fields.get("trigger_usd"),
            notional_usd=fields.get("notional_usd"),
            data=msgspec.json.encode(fields).decode(),
        )

    def write_zone(self, zone: Zone) -> None:
        """One state of a zone."""
        row = {name: getattr(zone, name, None) for name in _ZONES.names}
        row |= {name: getattr(zone.flows, name, None) for name in _FLOWS}
        row["seen_ns"] = seen_ns(zone)
        for name in ("bands", "venues"):
            row[name] = None if row[name] is None else msgspec.json.encode(row[name]).decode()
        self._tables["zones"].append(row)

    def write_forecast(self, forecast: Forecast) -> None:
        """One frozen forecast."""
        self._tables["forecasts"].append(
            {
                "asset": forecast.asset,
                "issued_ns": forecast.issued_ns,
                "horizon_ns": forecast.horizon_ns,
                "price_usd": forecast.price_usd,
                "first_bucket": forecast.first_bucket,
                "long_usd": forecast.heat_usd[0],
                "short_usd": forecast.heat_usd[1],
                "long_remaining": forecast.remaining[0],
                "short_remaining": forecast.remaining[1],
                "params_sha256": forecast.params_sha256,
                "previous_sha256": forecast.previous_sha256,
                "sha256": forecast.sha256,
            }
        )

    def close(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Finish the files; returns ``manifest`` with ``outputs`` added, as written to ``manifest.json``."""
        outputs = {name: table.close() for name, table in self._tables.items()}
        whole = {**manifest, "simulated": self.simulated, "outputs": outputs}
        partial = self.folder / ".manifest.json.partial"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(whole)))
        partial.replace(self.folder / "manifest.json")
        return whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is not None:
            for table in self._tables.values():
                table.abandon()


def read_forecasts(path: Path, asset: str | None = None) -> Iterator[Forecast]:
    """Forecasts of a ``forecasts.parquet``, in the order they were frozen, each checked against its hash.

    Raises:
        StoreError: the file cannot be read, or a forecast or the chain does not match its hash.
    """
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
        missing = set(_FORECASTS.names) - set(file.schema_arrow.names)
    except (OSError, pa.ArrowInvalid) as exc:
        msg = f"cannot read forecasts: {exc}"
        raise StoreError(
            msg, where=str(path), hint="Give the forecasts.parquet that `faultline replay` wrote."
        ) from exc
    if missing:
        msg = f"not a file of forecasts: columns missing: {', '.join(sorted(missing))}"
        raise StoreError(
            msg, where=str(path), hint="Give the forecasts.parquet that `faultline replay` wrote."
        )
    heads: dict[str, str] = {}
    for group in file.iter_batches(batch_size=512, use_threads=False):
        for row in group.to_pylist():
            forecast = Forecast(
                asset=row["asset"],
                issued_ns=row["issued_ns"],
                horizon_ns=row["horizon_ns"],
                price_usd=row["price_usd"],
                first_bucket=row["first_bucket"],
                heat_usd=np.array([row["long_usd"], row["short_usd"]], dtype=np.float32),
                remaining=np.array([row["long_remaining"], row["short_remaining"]], dtype=np.float32),
                params_sha256=row["params_sha256"],
                previous_sha256=row["previous_sha256"],
            )
            expected = heads.get(forecast.asset, forecast.previous_sha256)
            if forecast.sha256 != row["sha256"] or forecast.previous_sha256 != expected:
                msg = f"forecast of {forecast.asset} issued at {forecast.issued_ns} does not match its hash"
                raise StoreError(
                    msg, where=str(path), hint="The file was changed after it was written; replay again."
                )
            heads[forecast.asset] = row["sha256"]
            if asset is None or forecast.asset == asset:
                yield forecast


assert len(GENESIS) == 64  # noqa: S101 - chains are written as hexadecimal SHA-256
