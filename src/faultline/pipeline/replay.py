"""A tape and parameters in, the engine's outputs over a stretch of it out, as fast as the machine allows."""

from __future__ import annotations

import dataclasses
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from faultline.errors import NotFound
from faultline.instruments import asset_of
from faultline.messages import Kind
from faultline.pipeline.cursor import TapeCursor
from faultline.pipeline.kinds import (
    BOOK_KINDS,
    BOOK_PIECE_NS,
    ENGINE_KINDS,
    STEP_FIELDS,
    STEP_KINDS,
)
from faultline.pipeline.shard import ARCHIVE_VENUES, Shard
from faultline.pipeline.step import StepOutputs, step
from faultline.units import DAY_NS, TIMEFRAMES_NS, format_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faultline.instruments import Instrument
    from faultline.messages import Batch
    from faultline.pipeline.parameters import PipelineParameters
    from faultline.tape import Tape

__all__ = ("ReplaySpan", "TapeReplay", "book_cursor", "tape_assets")

#: Longest stretch given to one call of ``step``.
_CHUNK_NS: Final = DAY_NS // 8


@dataclasses.dataclass(frozen=True, slots=True)
class ReplaySpan:
    """What to replay: outputs in [from_ns, to_ns), after a warm-up from ``warm_ns``."""

    warm_ns: int
    from_ns: int
    to_ns: int


def tape_assets(tape: Tape) -> dict[str, list[str]]:
    """Assets on a tape that have a price path, with their instrument ids."""
    contracts = {item.id: item for item in tape.instruments()}
    ids = {iid for kind in STEP_KINDS for iid in tape.ids(kind)}
    priced = {
        iid
        for kind in (Kind.BAR, Kind.TRADE, Kind.MARK)
        for iid in tape.ids(kind)
        if iid.partition(":")[0] not in ARCHIVE_VENUES
    }
    assets: dict[str, list[str]] = {}
    for iid in sorted(ids):
        assets.setdefault(asset_of(iid, contracts), []).append(iid)
    return {asset: members for asset, members in sorted(assets.items()) if priced & set(members)}


def book_cursor(tape: Tape, ids: Sequence[str], from_ns: int) -> TapeCursor | None:
    """Order books of instruments, read in short pieces from a moment on; None where the tape has none."""
    if not set(ids) & set(tape.ids(Kind.BOOK_LEVEL)):
        return None
    return TapeCursor(tape, BOOK_KINDS, ids, from_ns, piece_ns=BOOK_PIECE_NS)


class TapeReplay:
    """Runs one asset of a tape through ``step``.

    Raises:
        NotFound: the tape has no prices of the asset.
    """

    def __init__(self, tape: Tape, asset: str, parameters: PipelineParameters) -> None:
        assets = tape_assets(tape)
        if asset not in assets:
            known = ", ".join(assets) or "none"
            msg = f"the tape has no prices of {asset}"
            raise NotFound(msg, where=str(tape.path), hint=f"Assets with a price path on this tape: {known}.")
        self.tape = tape
        self.asset = asset
        self.ids = assets[asset]
        self.parameters = parameters
        self.contracts: dict[str, Instrument] = {item.id: item for item in tape.instruments()}
        spans = [tape.span_ns(kind, iid) for kind in STEP_KINDS for iid in self.ids if iid in tape.ids(kind)]
        self.first_ns = min(first for first, _ in spans)
        self.last_ns = max(last for _, last in spans)

    def span(self, from_ns: int | None, to_ns: int | None, warm_ns: int | None = None) -> ReplaySpan:
        """The stretch to replay; missing ends are the tape's.

        Raises:
            NotFound: nothing of the asset lies in the stretch.
        """
        start = self.first_ns if from_ns is None else from_ns
        end = self.last_ns + 1 if to_ns is None else to_ns
        if start >= end or start > self.last_ns or end <= self.first_ns:
            msg = f"no messages of {self.asset} from {format_time_ns(start)} to {format_time_ns(end)}"
            hint = f"The tape holds {format_time_ns(self.first_ns)} to {format_time_ns(self.last_ns)}."
            raise NotFound(msg, where=str(self.tape.path), hint=hint)
        return ReplaySpan(min(self.first_ns if warm_ns is None else warm_ns, start), start, end)

    def shard(self, start_ns: int) -> Shard:
        """An empty shard that begins just before ``start_ns``."""
        shard = Shard(self.asset, self.contracts, self.parameters, start_ns - 1)
        for iid in self.ids:
            shard.member(iid)
        return shard

    def chunks(
        self, from_ns: int, to_ns: int, kinds: Sequence[Kind] = STEP_KINDS
    ) -> Iterator[tuple[int, list[Batch]]]:
        """Ends of stretches and their messages, covering [from_ns, to_ns)."""
        ids = [*self.ids, *self.tape.ids(Kind.SOURCE_STATUS)]
        for _, end_ns, batches in self.tape.stream(
            from_ns, to_ns, kinds=kinds, ids=ids, chunk_ns=_CHUNK_NS, fields=STEP_FIELDS
        ):
            yield end_ns, batches

    def books(self, shard: Shard, from_ns: int) -> TapeCursor | None:
        """Order books as far as a shard wants them; None where the tape has none or nobody watches."""
        if shard.watch is None:
            return None
        return book_cursor(self.tape, self.ids, max(from_ns, shard.watch.cascades.books.at_ns))

    def run(
        self,
        shard: Shard,
        span: ReplaySpan,
        receive: Callable[[StepOutputs], None],
        *,
        freeze: bool = True,
        progress: Callable[[float, float, str], None] | None = None,
    ) -> dict[str, float]:
        """Warm up, then replay and hand over what each step gives; returns the cost.

        Args:
            shard: from ``shard()``; left at the end of the span.
            span: from ``span()``.
            receive: gets the outputs of every step of [from_ns, to_ns).
            freeze: freeze forecasts inside the span.
            progress: told (done, total, label) in hours of tape.
        """
        shard.draw_from(dict.fromkeys(TIMEFRAMES_NS, span.from_ns + 1))
        wall, cpu = time.perf_counter(), time.process_time()
        total = (span.to_ns - span.warm_ns) / 3.6e12
        kinds = STEP_KINDS if shard.watch is None else ENGINE_KINDS
        books = self.books(shard, span.warm_ns)
        for start, end, live in ((span.warm_ns, span.from_ns, False), (span.from_ns, span.to_ns, True)):
            if start >= end:
                continue
            for end_ns, batches in self.chunks(start, end, kinds):
                for piece_ns, rows in books.pieces(end_ns) if books else ():
                    shard.take_books(rows, piece_ns)
                outputs = step(shard, batches, end_ns, freeze=freeze and live)
                if live:
                    receive(outputs)
                if progress:
                    progress((end_ns - span.warm_ns) / 3.6e12, total, "replay" if live else "warm-up")
        return {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
            "peak_rss_mb": _peak_rss_mb(),
        }


def _peak_rss_mb() -> float:
    """Most memory this process ever held; Linux's own figure where there is one, as the other survives an exec."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
