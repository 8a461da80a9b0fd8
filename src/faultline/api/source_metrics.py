"""What ``/sources`` answers in, Prometheus series of venues and of the way to the tape out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from faultline.store.maps import MapStore

__all__ = ("STATUSES", "SourceSeries")

#: States of a venue: one series each, 1 for the one it is in.
STATUSES: Final = ("live", "quiet", "partial", "stale", "blocked", "down", "absent")
#: Label of channels that a venue names and nobody asked for: their names are the venue's, and without bound.
_OTHER: Final = "other"


class SourceSeries(Collector):
    """Series of every connected venue, made when they are asked for; none where nothing is connected.

    Label values are bounded by the coverage of the venues and the list of reasons.

    Args:
        store: its ``sources_of`` is asked, in the mode ``live`` only.
    """

    def __init__(self, store: MapStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """The series as they stand now."""
        ask = self._store.sources_of
        if ask is None or self._store.status.mode != "live":
            return
        report = ask()
        if not report["connected"]:
            return
        yield from _venues(report["venues"])
        yield from _channels(report["venues"], report["at_ms"])
        if report["writer"] is not None:
            yield from _writer(report["writer"])
        if report["disk"] is not None:
            free = _gauge("tape_disk_free_bytes", "Free bytes of the disk of the tape.")
            free.add_metric([], report["disk"]["free_bytes"])
            yield free


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(f"faultline_{name}", text, labels=labels)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"faultline_{name}", text, labels=labels)


def _venues(venues: list[dict[str, Any]]) -> Iterator[Metric]:
    status = _gauge("source_status", "1 for the state that a venue is in.", ("venue", "status"))
    offset = _gauge(
        "source_clock_offset_seconds", "Smallest receive minus event time of an hour.", ("venue",)
    )
    counters = {
        "n_reconnects": _counter("source_reconnects", "Connections made again after a loss.", ("venue",)),
        "n_refusals": _counter("source_refusals", "Times that the venue refused.", ("venue",)),
        "n_request_failures": _counter("source_request_failures", "Requests that failed.", ("venue",)),
        "n_bytes": _counter("source_bytes", "Bytes received.", ("venue",)),
    }
    for venue in venues:
        slug = venue["venue"]
        for word in STATUSES:
            status.add_metric([slug, word], float(venue["status"] == word))
        if venue["clock_offset_ms"] is not None:
            offset.add_metric([slug], venue["clock_offset_ms"] / 1_000)
        for field, family in counters.items():
            family.add_metric([slug], venue[field])
    yield from (status, offset, *counters.values())


def _channels(venues: list[dict[str, Any]], at_ms: int) -> Iterator[Metric]:
    labels = ("venue", "channel")
    rows = _counter("source_rows", "Rows taken.", labels)
    gaps = _counter("source_gaps", "Stretches known to be missing.", labels)
    lag = _gauge("source_lag_p95_seconds", "95 of 100 rows came within this of their event.", labels)
    age = _gauge("source_row_age_seconds", "Time since the last row.", labels)
    rejected: Counter[tuple[str, str, str]] = Counter()
    for venue in venues:
        slug = venue["venue"]
        for channel in venue["channels"]:
            is_asked = bool(channel["kinds"])
            name = channel["channel"] if is_asked else _OTHER
            for reject in channel["rejects"]:
                rejected[slug, name, reject["reason"]] += reject["n"]
            if not is_asked:
                continue
            rows.add_metric([slug, name], channel["n_rows"])
            gaps.add_metric([slug, name], channel["n_gaps"])
            if channel["lag_p95_ms"] is not None:
                lag.add_metric([slug, name], channel["lag_p95_ms"] / 1_000)
            if channel["last_row_ms"] is not None:
                age.add_metric([slug, name], max(0, at_ms - channel["last_row_ms"]) / 1_000)
    rejects = _counter("source_rejects", "Facts that could not be taken.", (*labels, "reason"))
    for key, n in rejected.items():
        rejects.add_metric(list(key), n)
    yield from (rows, gaps, lag, age, rejects)


def _writer(writer: dict[str, Any]) -> Iterator[Metric]:
    gauges = {
        "rows_waiting": _gauge("tape_rows_waiting", "Rows on their way to the tape."),
        "rows_waiting_max": _gauge("tape_rows_waiting_max", "Rows that wait when reading is paused."),
        "is_paused": _gauge("tape_paused", "1 while reading is paused until the tape has caught up."),
    }
    counters = {
        "n_rows_acknowledged": _counter("tape_rows_acknowledged", "Rows that are safe on the tape."),
        "n_pauses": _counter("tape_pauses", "Times that reading was paused."),
        "paused_s": _counter("tape_paused_seconds", "Time that reading was paused."),
    }
    for field, gauge in gauges.items():
        gauge.add_metric([], float(writer[field]))
    for field, counter in counters.items():
        counter.add_metric([], float(writer[field]))
    failed = _gauge("tape_failed", "1 when the tape takes no more rows.")
    failed.add_metric([], float(bool(writer["failure"])))
    yield from (*gauges.values(), *counters.values(), failed)
