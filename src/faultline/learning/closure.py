"""Open interest and what stands per unit opened in, prior shares of low leverage that add up to it out.

Price rarely travels far enough to liquidate low leverage, so its share cannot be learned from liquidations. What
stands must add up to open interest, though: ``sum_l (theta_l / r) m_l A_l = OI`` per side, with the rate ``theta_l``
per unit opened, the mean size ``m_l``, the share ``r`` of liquidations that the venue publishes and the units ``A_l``
that stand. High leverage is known; what is left of open interest is low leverage, in the proportions of the prior.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("FLOOR_RATIO", "close_mix")

#: Low leverage gets at least this share of open interest, however much the rest explains.
FLOOR_RATIO: Final = 0.05


def close_mix(
    theta: NDArray[np.float64],
    sizes_usd: NDArray[np.float64],
    standing: NDArray[np.float64],
    oi_usd: float,
    low: NDArray[np.bool_],
    prior: NDArray[np.float64],
    *,
    level: float,
    reported_ratio: float = 1.0,
    floor_ratio: float = FLOOR_RATIO,
) -> NDArray[np.float64]:
    """Prior shares of gross opens with low leverage set so that what stands is open interest, shape (L,), sum 1.

    Args:
        theta: events per unit opened, shape (L,).
        sizes_usd: mean size of an event, shape (L,).
        standing: units that stand on one side, mean of both, shape (L,).
        oi_usd: open interest of one side in USD.
        low: which leverages are not identified by liquidations, shape (L,).
        prior: shares before, shape (L,); gives the proportions within the low ones and within the others.
        level: events per unit opened that one unit of the prior's shares stands for; what low leverage gets is told
            relative to it.
        reported_ratio: share of liquidations that the venue publishes.
        floor_ratio: least share of open interest left to low leverage.

    Raises:
        RequestError: open interest or the reported share is not positive, sizes are unknown, or none or all
            leverages are low.
    """
    fits = np.isfinite(oi_usd) and oi_usd > 0 and 0 < reported_ratio <= 1 and np.isfinite(sizes_usd).all()
    if not fits or not low.any() or low.all():
        message = (
            f"open interest of {oi_usd!r} USD cannot be closed over {int(low.sum())} of {len(low)} leverages"
        )
        raise RequestError(
            message, where="oi_usd", hint="needs positive open interest, sizes, and some low leverages"
        )
    worth = sizes_usd * standing / reported_ratio
    explained = float((theta * worth)[~low].sum())
    left = max(oi_usd - explained, floor_ratio * oi_usd)
    per_share = float((prior * worth)[low].sum())
    rates = np.where(low, prior * left / max(per_share, 1e-300), 0.0)
    # The others keep what the prior gives them; only the balance between the two groups moves.
    rates[~low] = level * prior[~low]
    shares: NDArray[np.float64] = np.maximum(rates / rates.sum(), 1e-12)
    shares /= shares.sum()
    return shares
