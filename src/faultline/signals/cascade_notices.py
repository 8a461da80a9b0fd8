"""What happened to a cascade in, the fields of the event that tells of it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.signals.events import EventType
from faultline.signals.notices import Notice

if TYPE_CHECKING:
    from faultline.cascades.episodes import EpisodeChange

__all__ = ("cascade_notice",)

_EVENTS: Final = {
    "started": EventType.CASCADE_STARTED,
    "extended": EventType.CASCADE_EXTENDED,
    "excess": EventType.CASCADE_EXCESS,
    "ended": EventType.CASCADE_ENDED,
}
_SIDES: Final = ("LONG", "SHORT")


def cascade_notice(asset: str, change: EpisodeChange) -> Notice:
    """The notice of what happened to an episode of an asset."""
    episode = change.episode
    fields = {
        "episode_id": episode.id,
        "zone_id": episode.zone_id,
        "side": _SIDES[episode.side],
        "price_usd": episode.level_usd,
        "depth": episode.depth,
        "n_levels": episode.n_levels,
        "liquidated_usd": episode.liquidated_usd,
        "expected_usd": episode.expected_usd,
        "expected_depth": episode.expected_depth,
        "tail_prob": episode.tail_prob,
        "duration_s": episode.duration_s,
        "next_prob": episode.next_prob,
    }
    # One bar may reach several levels: the depth tells their events apart.
    subject = f"{episode.id}|{episode.depth}"
    return Notice(_EVENTS[change.kind], asset, subject, episode.at_ns, fields)
