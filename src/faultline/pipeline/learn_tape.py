"""A tape and settings in, everything that can be learned from it out: a file of learned parameters.

The messages of a stretch go through the same ``step`` as a replay's. Liquidations before the stretch are left out, so
that what is learned comes from it alone; prices and volumes before it are taken in, as the map needs them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from faultline.messages import Kind
from faultline.pipeline.kinds import ENGINE_KINDS, STEP_FIELDS
from faultline.pipeline.learned_file import LearnedFile, LearnedSpan, first_file, snapshot_of
from faultline.pipeline.learned_rows import Advantage, KeptState, LearnedBin, LearnedCascade, LearnedFeed
from faultline.pipeline.model_report import learned_of
from faultline.pipeline.replay import TapeReplay
from faultline.pipeline.restored import kept_states
from faultline.pipeline.step import step
from faultline.units import DAY_NS, HOUR_NS, SECOND_NS, TIMEFRAMES_NS, format_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultline.messages import Batch
    from faultline.pipeline.parameters import PipelineParameters
    from faultline.pipeline.shard import Shard
    from faultline.tape import Tape

__all__ = ("learn_tape",)

#: What the assets have taught by one moment.
_Found = tuple[list[LearnedFeed], list[LearnedCascade], list[KeptState]]

#: Snapshots of every hour are kept for so long before the end, of every day for the whole stretch.
_HOURLY_NS: Final = 2 * DAY_NS
#: Longest stretch given to one call of ``step`` before what is learned begins.
_WARM_CHUNK_NS: Final = DAY_NS // 8
#: States of learners take at most so much of a file; snapshots that do not fit are left out.
_STATES_BYTES: Final = 128 * 1024 * 1024
_QUANTILES: Final = np.array([0.025, 0.975])
_TIMES: Final = np.array([0.1, 0.5, 0.9])


def learn_tape(
    tape: Tape,
    assets: Sequence[str],
    parameters: PipelineParameters,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> tuple[LearnedFile, dict[str, float]]:
    """Learn a stretch of a tape; also returns the cost.

    Args:
        tape: the messages.
        assets: assets to learn.
        parameters: what to learn with.
        from_ns: first moment of which liquidations are learned; the tape's first message by default.
        to_ns: end, exclusive.
        progress: told (done, total, label) in hours of tape, over all assets.

    Raises:
        NotFound: the tape has no prices of an asset, or nothing between the moments.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    replays = [TapeReplay(tape, asset, parameters) for asset in assets]
    spans = [replay.span(from_ns, to_ns) for replay in replays]
    start, end = min(span.from_ns for span in spans), max(span.to_ns for span in spans)
    moments = _moments(start, end)
    total = len(replays) * (end - min(span.warm_ns for span in spans)) / HOUR_NS
    found: dict[int, _Found] = {at_ns: ([], [], []) for at_ns in moments}
    cost = {"steps": 0.0, "messages": 0.0}
    for number, replay in enumerate(replays):
        shard = replay.shard(min(replay.first_ns, start))

        def tell(at_ns: int, replay: TapeReplay = replay, number: int = number) -> None:
            done = (number * (end - replay.first_ns) + at_ns - replay.first_ns) / HOUR_NS
            if progress is not None:
                progress(done, total, f"learn {replay.asset}")

        _learn(replay, shard, (start, end), found, tell)
        cost["steps"] += shard.steps
        cost["messages"] += shard.messages
    snapshots = [
        snapshot_of(version, at_ns, moments[at_ns], *found[at_ns])
        for version, at_ns in enumerate(sorted(found), start=1)
    ]
    span = LearnedSpan(
        sha256=tape.sha256(),
        from_ns=start,
        to_ns=end,
        text=f"{format_time_ns(start)} .. {format_time_ns(end)}",
        assets=tuple(assets),
    )
    learned = first_file(span, parameters, snapshots, simulated=tape.simulated, world=tape.world or "")
    cost |= {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    return learned, cost


def _moments(from_ns: int, to_ns: int) -> dict[int, Literal["hour", "day", "end"]]:
    """When snapshots are taken: every midnight, every hour of the last two days, and the end."""
    hours = range((from_ns // HOUR_NS + 1) * HOUR_NS, to_ns, HOUR_NS)
    found: dict[int, Literal["hour", "day", "end"]] = {}
    for at_ns in hours:
        if at_ns % DAY_NS == 0:
            found[at_ns] = "day"
        elif to_ns - at_ns <= _HOURLY_NS:
            found[at_ns] = "hour"
    return found | {to_ns: "end"}


def _learn(
    replay: TapeReplay,
    shard: Shard,
    span: tuple[int, int],
    found: dict[int, _Found],
    tell: Callable[[int], None],
) -> None:
    """Run one asset through the engine and note what it knows at each moment of ``found``."""
    from_ns, to_ns = span
    shard.watch_from(replay.parameters.zones, from_ns + 1)
    # Nobody looks at columns; only zones are followed, on those of one minute.
    shard.draw_from(dict.fromkeys(TIMEFRAMES_NS, to_ns) | {"1m": from_ns + 1})
    begin_ns = min(replay.first_ns, from_ns)
    books = replay.books(shard, begin_ns)
    whole_ns = min((from_ns // HOUR_NS + 1) * HOUR_NS, to_ns)
    cuts = ((begin_ns, from_ns, _WARM_CHUNK_NS), (from_ns, whole_ns, HOUR_NS), (whole_ns, to_ns, HOUR_NS))
    for start_ns, stop_ns, chunk_ns in cuts:
        stream = replay.tape.stream(
            start_ns, stop_ns, kinds=ENGINE_KINDS, ids=replay.ids, chunk_ns=chunk_ns, fields=STEP_FIELDS
        )
        for _, end_ns, batches in stream:
            for piece_ns, rows in books.pieces(end_ns) if books else ():
                shard.take_books(rows, piece_ns)
            step(shard, batches if end_ns > from_ns else _without_liquidations(batches), end_ns)
            if end_ns in found and end_ns > from_ns:
                feeds, cascades, states = found[end_ns]
                feeds += _feeds_of(shard)
                cascades += _cascades_of(shard)
                states += kept_states(
                    shard.asset, shard.calibrator, None if shard.watch is None else shard.watch.cascades
                )
                _thin(found, _STATES_BYTES)
            tell(end_ns)


def _thin(found: dict[int, _Found], limit_bytes: int) -> None:
    """Leave out snapshots until the states of all take no more than a limit: whole hours, oldest first, then days."""
    while sum(len(state.packed) for _, _, states in found.values() for state in states) > limit_bytes:
        *earlier, _ = sorted(found)
        if not earlier:
            return
        hours = [at_ns for at_ns in earlier if at_ns % DAY_NS]
        del found[(hours or earlier)[0]]


def _without_liquidations(batches: Sequence[Batch]) -> list[Batch]:
    return [batch for batch in batches if batch.kind is not Kind.LIQUIDATION]


def _feeds_of(shard: Shard) -> list[LearnedFeed]:
    """What the feeds of an asset have taught so far; of those of which nothing is learned what was known before."""
    if shard.learner is None:
        return []
    frozen = shard.given is not None and shard.given.frozen
    out = list(shard.given.feeds) if shard.given is not None and frozen else []
    for row in learned_of(shard)["feeds"]:
        if row["feed"] not in shard.learner.feeds:
            continue
        feed = shard.learner.feeds[row["feed"]]
        mixes, data_ratio = feed.served_now()
        calibration = row["calibration"] or {"rows": [], "sides": None}
        out.append(
            LearnedFeed(
                feed=feed.feed_id,
                asset=shard.asset,
                path=feed.path_id,
                reporting=row["reporting"],
                basis=row["basis"],
                serves=tuple(row["serves"]),
                events=feed.events,
                expected=feed.expected,
                effective_events=row["effective_events"],
                dispersion=row["dispersion"],
                leverages=_tuple(row["leverages"]),
                mix=_tuple(mixes[0]),
                low=_tuple(mixes[1]),
                high=_tuple(mixes[2]),
                data_ratio=data_ratio,
                believed_mix=_tuple(row["mix"]),
                assumed_mix=_tuple(row["assumed_mix"]),
                bins=tuple(_bin(found) for found in row["bins"]),
                hypotheses={found["name"]: found["weight"] for found in row["hypotheses"]},
                advantage=Advantage(
                    nats=feed.gained_nats, events=feed.events, recent_nats=row["advantage_nats"]
                ),
                sides=calibration["sides"],
                calibration=tuple(calibration["rows"]),
                offset_advantage=_offset_advantage(shard, feed.feed_id),
            )
        )
    return out


def _bin(found: Mapping[str, Any]) -> LearnedBin:
    return LearnedBin(
        label=found["label"],
        share=float(found["share"]),
        low=float(found["low"]),
        high=float(found["high"]),
        iota=float(found["iota"]),
        identified=bool(found["identified"]),
        assumed_share=float(found["assumed_share"]),
    )


def _offset_advantage(shard: Shard, feed_id: str) -> Advantage | None:
    """How much better the places of prints were foretold than by the calibrator's prior."""
    if shard.calibrator is None or feed_id not in shard.calibrator.feeds:
        return None
    report = shard.calibrator.feeds[feed_id].calibrator.report()
    if not report.n_scored:
        return None
    return Advantage(nats=report.offset_gained_nats, events=report.n_scored)


def _cascades_of(shard: Shard) -> list[LearnedCascade]:
    """What was learned of the chains of an asset so far; nothing before a zone was hit."""
    if shard.watch is None or not shard.watch.cascades.record.n_hits:
        return []
    watch = shard.watch.cascades
    record, learner = watch.record, watch.stream.learner
    law, fraction = learner.impact.law, learner.fraction
    return [
        LearnedCascade(
            asset=shard.asset,
            hits=record.n_hits,
            advantage=Advantage(nats=record.gained_nats, events=record.losses[0]),
            model_share=learner.hazard.model_share,
            weights=learner.hazard.weights,
            recalibration=learner.recalibration.weights,
            liquidated_ratio=(float(fraction.mean), *_tuple(fraction.quantiles(_QUANTILES))),
            hop_delay_s=_tuple(learner.delay.quantiles_s(_TIMES)),
            hop_limit_s=learner.tau_ns() / SECOND_NS,
            impact_scale=float(law.scale),
            impact_exponent=float(law.exponent),
        )
    ]


def _tuple(values: Any) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=np.float64).tolist())
