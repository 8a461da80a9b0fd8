"""The snapshot of a parameter file in, calibrators and learners of chains that stand where it was taken out.

Where the snapshot is frozen they are served as they are. Otherwise they go on, with what was received since it was
taken: in a run over an earlier stretch nothing is learned twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from faultline.cascades.chain import FROZEN_NS, CascadeLearner
from faultline.errors import ConfigError, FaultlineError
from faultline.pipeline.calibrate import FeedCalibrator
from faultline.pipeline.learned_rows import KeptState
from faultline.pipeline.packed_state import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from faultline.cascades.chain import ChainSettings
    from faultline.pipeline.calibrate import MarketCalibrator
    from faultline.pipeline.cascading import CascadeWatch
    from faultline.pipeline.given_mixes import GivenSnapshot

__all__ = ("check_restorable", "give_calibrators", "give_chains", "hold_chains", "kept_states")


def give_calibrators(market: MarketCalibrator, snapshot: GivenSnapshot | None) -> None:
    """Put the calibrators of an asset's feeds where the snapshot left them; call before anything else."""
    if snapshot is None:
        return
    place = market.frozen if snapshot.frozen else market.feeds
    for subject, arrays in _unpacked(snapshot, "calibrator").items():
        place[subject] = FeedCalibrator.from_state(arrays)
        place[subject].resumed_ns = snapshot.at_ns
    if snapshot.frozen:
        market.fixed_ids = frozenset(feed.feed for feed in snapshot.feeds)


def give_chains(cascades: CascadeWatch, snapshot: GivenSnapshot | None, settings: ChainSettings) -> None:
    """Put the learner of an asset's chains where the snapshot left it; call before anything else."""
    if snapshot is not None:
        for arrays in _unpacked(snapshot, "chains").values():
            cascades.resume(CascadeLearner.from_state(settings, arrays))
        hold_chains(cascades, snapshot)


def hold_chains(cascades: CascadeWatch, snapshot: GivenSnapshot | None) -> None:
    """Let the learner of an asset's chains learn nothing where the snapshot is frozen, and nothing twice elsewhere."""
    if snapshot is not None:
        cascades.stream.learner.learned_ns = FROZEN_NS if snapshot.frozen else snapshot.at_ns - 1


def kept_states(
    asset: str, market: MarketCalibrator | None, cascades: CascadeWatch | None
) -> list[KeptState]:
    """Where the calibrators of an asset's feeds and the learner of its chains stand."""
    calibrators = {} if market is None else market.feeds | market.frozen
    states = [
        KeptState(learner="calibrator", asset=asset, subject=feed_id, packed=pack(feed.state()))
        for feed_id, feed in sorted(calibrators.items())
    ]
    if cascades is not None:
        packed = pack(cascades.stream.learner.state())
        states.append(KeptState(learner="chains", asset=asset, subject=asset, packed=packed))
    return states


def check_restorable(states: Iterable[KeptState], settings: ChainSettings, where: str) -> None:
    """Check that learners can go on from states.

    Args:
        states: of a snapshot.
        settings: of chains.
        where: path of the file.

    Raises:
        ConfigError: one of them cannot, as its learner has another form by now.
    """
    for state in states:
        try:
            arrays = unpack(state.packed)
            if state.learner == "calibrator":
                FeedCalibrator.from_state(arrays)
            else:
                CascadeLearner.from_state(settings, arrays)
        except (FaultlineError, msgspec.MsgspecError, LookupError, ValueError, TypeError) as exc:
            what = f"the {state.learner} of {state.subject}"
            why = exc.user_message if isinstance(exc, FaultlineError) else exc
            message = (
                f"{what} was learned by another version of faultline and cannot go on in this one: {why}"
            )
            hint = "Learn it again: `faultline learn TAPE --out NEW.json`."
            raise ConfigError(message, where=where, hint=hint) from exc


def _unpacked(snapshot: GivenSnapshot, learner: str) -> Mapping[str, dict[str, NDArray[Any]]]:
    return {state.subject: unpack(state.packed) for state in snapshot.states if state.learner == learner}
