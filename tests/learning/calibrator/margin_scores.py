"""Windows scored under several margins, made of counts whose intensity is known: nothing shared with the learner."""

from __future__ import annotations

import numpy as np

from faultline.learning.margins import MarginScores

CORRECTIONS = np.array([-10.0, 0.0, 10.0])


def scored(
    rng,
    windows,
    true_bps,
    *,
    tier_ratios=(1.0,),
    sizes_usd=(1e4,),
    per_window=4.0,
    grid=CORRECTIONS,
    assumed_bps=50.0,
):
    """Liquidations that come in waves whose phase is the margin's, a degree and a half per basis point.

    ``true_bps`` per tier of size, whose events have ``sizes_usd`` and are ``tier_ratios`` of all.
    """
    phase, turn = rng.uniform(0.0, 2 * np.pi, windows), np.deg2rad(1.5)

    def expected(shift_bps):
        return per_window * (1.0 + 0.8 * np.sin(phase + turn * shift_bps))

    under = np.stack([expected(shift) for shift in grid], axis=1)
    found = []
    for ratio, true, size in zip(
        tier_ratios, np.broadcast_to(true_bps, len(sizes_usd)), sizes_usd, strict=True
    ):
        count = rng.poisson(ratio * expected(true))
        found.append((np.repeat(np.arange(windows), count), np.full(count.sum(), size)))
    window = np.concatenate([part[0] for part in found])
    order = np.argsort(window, kind="stable")
    return MarginScores(
        assumed_bps,
        grid,
        under,
        np.ones(windows),
        window[order],
        under[window[order]],
        np.ones(len(window)),
        np.concatenate([part[1] for part in found])[order],
    )
