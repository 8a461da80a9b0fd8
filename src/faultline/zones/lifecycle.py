"""Bars of the price path and zones in, what price did to them out: approached, hit, left, swept.

Every bar is judged by itself, so it does not matter how a path is cut into calls. Bars that can change nothing are
passed over in one comparison.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from faultline.zones.parameters import ZoneParameters
    from faultline.zones.track import Track

__all__ = ("follow_path",)


def follow_path(
    tracks: Sequence[Track],
    path: NDArray[np.void],
    move_ratio: float,
    parameters: ZoneParameters,
    tell: Callable[[str, Track, int, float], None],
) -> None:
    """Walk zones along bars of the path; their states change in place.

    Args:
        tracks: zones and candidates that stand.
        path: rows with ``end_ns``, ``low_usd``, ``high_usd`` and ``close_usd`` (``market.path.PATH_ROW``), in order;
            a bar without prices (NaN) does nothing.
        move_ratio: typical move of price over ``approach_move_ns``; NaN where it is not known yet.
        parameters: settings.
        tell: told (kind, track, time, price) of each change, at the end of the bar that made it; the track has
            its new state.
    """
    low, high, close = path["low_usd"], path["high_usd"], path["close_usd"]
    begin = 0
    while begin < len(path):
        marks = _watch(tracks, move_ratio, parameters)
        acts = (
            (low[begin:] <= marks[0])
            | (high[begin:] >= marks[1])
            | (close[begin:] >= marks[2])
            | (close[begin:] <= marks[3])
        )
        first = int(np.argmax(acts))
        if not acts[first]:
            return
        bar = path[begin + first]
        for track in tracks:
            if track.state not in {"swept", "expired"}:
                _meet(track, bar, move_ratio, parameters, tell)
        begin += first + 1


def _watch(
    tracks: Sequence[Track], move_ratio: float, parameters: ZoneParameters
) -> tuple[float, float, float, float]:
    """A low, a high, an upper close and a lower close at which something may happen next; bars inside do nothing."""
    down, up = -math.inf, math.inf
    back_up, back_down = math.inf, -math.inf
    for track in tracks:
        reach, back = _levels(track, move_ratio, parameters)
        if track.state in {"swept", "expired"}:
            continue
        if track.side == 0:
            down, back_up = max(down, reach), min(back_up, back)
        else:
            up, back_down = min(up, reach), max(back_down, back)
    return down, up, back_up, back_down


def _levels(track: Track, move_ratio: float, parameters: ZoneParameters) -> tuple[float, float]:
    """Price at which a zone is next reached, and close at which price has left it; infinitely far where neither."""
    ahead = 1.0 if track.side == 0 else -1.0
    never = math.inf if track.side == 0 else -math.inf
    if not track.confirmed:
        # A candidate can only be reached: it is approached once it is a zone.
        return track.near_usd, never
    if track.state == "hit":
        leave = parameters.retreat_ratio * (0.0 if math.isnan(move_ratio) else move_ratio)
        return track.far_usd, track.near_usd * (1.0 + ahead * leave)
    if math.isnan(move_ratio):
        return track.near_usd, never
    if track.armed and track.state == "standing":
        return track.near_usd / (1.0 - ahead * move_ratio), never
    return track.near_usd, track.near_usd / (1.0 - ahead * min(parameters.rearm_ratio * move_ratio, 0.9))


def _meet(
    track: Track,
    bar: np.void,
    move_ratio: float,
    parameters: ZoneParameters,
    tell: Callable[[str, Track, int, float], None],
) -> None:
    """What one bar does to one zone."""
    at_ns, close = int(bar["end_ns"]), float(bar["close_usd"])
    tip = float(bar["low_usd"] if track.side == 0 else bar["high_usd"])
    sign = 1.0 if track.side == 0 else -1.0
    reach, back = _levels(track, move_ratio, parameters)

    def passed(level: Any) -> bool:
        return bool(sign * tip <= sign * level)

    if passed(track.near_usd) and track.state != "hit":
        track.before_usd = track.notional_usd
        track.touches += 1
        _enter(track, "hit", at_ns)
        tell("hit", track, at_ns, tip)
    elif track.state == "standing" and track.armed and passed(reach):
        track.armed = False
        _enter(track, "approached", at_ns)
        tell("approached", track, at_ns, tip)
    if track.state == "hit" and passed(track.far_usd):
        _enter(track, "swept", at_ns)
        tell("swept", track, at_ns, tip)
        return
    if not math.isfinite(back) or sign * close < sign * back:
        return
    if track.state == "hit":
        track.armed = False
        _enter(track, "standing", at_ns)
    else:
        track.armed = True
        if track.state == "approached":
            _enter(track, "standing", at_ns)


def _enter(track: Track, state: Any, at_ns: int) -> None:
    track.state, track.state_ns = state, at_ns
