"""Aster's list of contracts in, contracts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.instruments import ContractKind
from faultline.sources.dialects.binance import listing
from faultline.sources.venues.aster.margin import tiers_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument

__all__ = ("LISTING", "ROOT", "contracts_of")

#: Path before REST pages.
ROOT: Final = "/fapi/v3"
LISTING: Final = listing.listing_of(ROOT)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    return listing.contracts_of(answers, "aster", ContractKind.LINEAR, tiers_of)
