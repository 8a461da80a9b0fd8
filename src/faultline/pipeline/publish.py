"""Columns of a step in, the same columns in the store that the API reads out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.store.maps import Candles, MapColumns

if TYPE_CHECKING:
    from faultline.heatmap.columns import Columns
    from faultline.pipeline.step import StepOutputs
    from faultline.store.maps import MapStore

__all__ = ("publish",)


def publish(store: MapStore, outputs: StepOutputs) -> None:
    """Write every column and candle of a step to the store."""
    for scope, columns in outputs.columns:
        _write_planes(store, scope, columns)
        store.write_candles(
            Candles(
                scope=scope,
                timeframe=columns.timeframe,
                t_ns=columns.start_ns,
                open=columns.open_usd,
                high=columns.high_usd,
                low=columns.low_usd,
                close=columns.close_usd,
                long_usd=columns.long_usd,
                short_usd=columns.short_usd,
                volume_usd=columns.volume_usd,
                n_closed=columns.n_closed,
            )
        )


def _write_planes(store: MapStore, scope: str, columns: Columns) -> None:
    for plane, usd in columns.usd.items():
        for index, side in enumerate(("long", "short")):
            store.write_columns(
                MapColumns(
                    scope=scope,
                    timeframe=columns.timeframe,
                    plane=plane,
                    side=side,
                    row_usd=columns.rows.row_usd,
                    first_row=columns.rows.first_row,
                    t_ns=columns.start_ns,
                    usd=usd[:, index].astype(np.float32),
                    n_closed=columns.n_closed,
                )
            )
