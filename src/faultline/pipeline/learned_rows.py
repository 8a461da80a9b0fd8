"""Nothing in, the shapes of what feeds and chains taught out: the rows of a file of learned parameters."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ("Advantage", "KeptState", "LearnedBin", "LearnedCascade", "LearnedFeed")


class Advantage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much better something learned foretold what came next than its static prior.

    Attributes:
        nats: sum of the differences of log scores, learned minus prior; every score was made before its outcome.
        events: outcomes that were scored.
        recent_nats: of the whole bank, faded with 72 hours and over the dispersion of counts: what decides who speaks.
            None where nothing fades.
    """

    nats: float
    events: float
    recent_nats: float | None = None


class LearnedBin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share of gross opens in a bin of leverage.

    Attributes:
        label: the bin.
        share: what is believed.
        low: lower end of its 95 % band.
        high: upper end.
        iota: how much of the prior's variance events removed, 0 to 1.
        identified: whether the share is known rather than assumed.
        assumed_share: that of the static prior.
    """

    label: str
    share: float
    low: float
    high: float
    iota: float
    identified: bool
    assumed_share: float


class LearnedFeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one feed of liquidations taught.

    Attributes:
        feed: where the liquidations came from.
        asset: whose map it is about.
        path: instrument whose price explained them.
        reporting: what the feed publishes.
        basis: who speaks: ``bank``, ``pooled`` or ``prior``.
        serves: instruments whose map is drawn with it.
        events: liquidations learned.
        expected: of them, how many were expected.
        effective_events: in a half-life.
        dispersion: variance of counts over their expectation.
        leverages: grid of all mixes here.
        mix: what the map is drawn with where the feed serves: learned and assumed mix, weighted by how they scored.
        low: lower end of its band.
        high: upper end.
        data_ratio: how much of it is data rather than prior.
        believed_mix: what is believed of the leverage of opens.
        assumed_mix: the static prior.
        bins: the belief in bins that can be told apart.
        hypotheses: weight of each hypothesis.
        advantage: of the learned mix.
        sides: what is known of the feed's sides.
        calibration: rows of the calibrator: name, unit, value, low, high, n_events, data_share.
        offset_advantage: of where the venue prints; None where nothing was printed that can be placed.
    """

    feed: str
    asset: str
    path: str
    reporting: str
    basis: str
    serves: tuple[str, ...]
    events: float
    expected: float
    effective_events: float
    dispersion: float
    leverages: tuple[float, ...]
    mix: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    data_ratio: float
    believed_mix: tuple[float, ...]
    assumed_mix: tuple[float, ...]
    bins: tuple[LearnedBin, ...]
    hypotheses: dict[str, float]
    advantage: Advantage
    sides: str | None
    calibration: tuple[dict[str, str | float | None], ...]
    offset_advantage: Advantage | None


class LearnedCascade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was learned of the chains on the map of one asset.

    Attributes:
        asset: whose map.
        hits: zones that were hit.
        advantage: of what was said over plain volatility, per hop at risk.
        model_share: weight of the model beside plain volatility.
        weights: of the hazard, by feature.
        recalibration: a, b, c of the scaling of probabilities.
        liquidated_ratio: share of heat that is liquidated: value and the ends of its 95 % range.
        hop_delay_s: 10, 50 and 90 % quantile of one hop.
        hop_limit_s: time that each hop is given.
        impact_scale: Y of the law of impact.
        impact_exponent: its delta.
    """

    asset: str
    hits: int
    advantage: Advantage
    model_share: float
    weights: dict[str, float]
    recalibration: tuple[float, ...]
    liquidated_ratio: tuple[float, ...]
    hop_delay_s: tuple[float, ...]
    hop_limit_s: float
    impact_scale: float
    impact_exponent: float


class KeptState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a learner needs to go on where it stood.

    Attributes:
        learner: ``calibrator`` of a feed or ``chains`` of an asset.
        asset: whose map it is about.
        subject: feed of liquidations; the asset for chains.
        packed: its arrays (``packed_state.pack``).
    """

    learner: Literal["calibrator", "chains"]
    asset: str
    subject: str
    packed: str
