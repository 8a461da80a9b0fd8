"""A format's name in, the importer that reads it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.sources.archives.binance_oi_5m import BINANCE_OI_5M
from faultline.sources.archives.binance_raw import BINANCE_RAW
from faultline.sources.archives.binance_vision import BINANCE_VISION
from faultline.sources.archives.csv_messages import CSV
from faultline.sources.archives.faultline_2026 import FAULTLINE_2026
from faultline.sources.archives.hourly_totals import HOURLY_TOTALS
from faultline.sources.archives.hyperliquid_l2 import HYPERLIQUID_L2
from faultline.sources.archives.tardis import TARDIS

if TYPE_CHECKING:
    from faultline.sources.archives.importer import Importer

__all__ = ("FORMATS",)

#: Every archive format, by the name that ``tape import`` takes.
FORMATS: Final[dict[str, Importer]] = {
    importer.name: importer
    for importer in (
        FAULTLINE_2026,
        BINANCE_OI_5M,
        HOURLY_TOTALS,
        BINANCE_VISION,
        BINANCE_RAW,
        HYPERLIQUID_L2,
        TARDIS,
        CSV,
    )
}
