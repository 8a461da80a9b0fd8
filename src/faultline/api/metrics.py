"""What happened at the API in, Prometheus text out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from faultline.api.source_metrics import SourceSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultline.api.alerting import AlertDeskLike
    from faultline.api.fanout import Fanout
    from faultline.api.hub import Hub
    from faultline.signals.events import Event
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore

__all__ = ("METRICS_TYPE", "Metrics")

#: Media type of the text format.
METRICS_TYPE: Final = "text/plain; version=0.0.4"
#: Why a rule holds an alert back, and what becomes of a message.
_HELD_BACK: Final = ("quiet", "rate", "duplicate")
_OUTCOMES: Final = ("sent", "failed", "dropped")


class Metrics:
    """Counters of one app, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "faultline_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "faultline_http_seconds",
            "Time from request to answer.",
            ["route"],
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
            registry=self.registry,
        )
        self._refused = Counter(
            "faultline_http_refused",
            "Requests refused before they reached a route.",
            ["reason"],
            registry=self.registry,
        )
        self._bugs = Counter(
            "faultline_http_bugs", "Requests that met an unexpected error.", registry=self.registry
        )
        self._frames = Counter(
            "faultline_stream_messages", "Messages sent to clients.", registry=self.registry
        )
        self._bytes = Counter("faultline_stream_bytes", "Bytes sent to clients.", registry=self.registry)
        self._events = Counter("faultline_events", "Events, by type.", ["type"], registry=self.registry)
        self._event_seconds = Histogram(
            "faultline_event_latency_seconds",
            "Time from our receipt of the causing message to the event, by priority.",
            ["priority"],
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self._ended = Counter(
            "faultline_stream_ended", "Streams that ended, by reason.", ["reason"], registry=self.registry
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered; ``route`` is the template, never the path itself."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_refused(self, reason: str) -> None:
        """One request was refused by the guard."""
        self._refused.labels(reason).inc()

    def count_bug(self) -> None:
        """One request met an error nobody expected."""
        self._bugs.inc()

    def count_sent(self, n_messages: int, n_bytes: int) -> None:
        """Messages went to clients."""
        self._frames.inc(n_messages)
        self._bytes.inc(n_bytes)

    def count_event(self, event: Event) -> None:
        """One event was written; its latency is counted where it has one."""
        self._events.labels(str(event.type)).inc()
        if event.latency_ms is not None:
            self._event_seconds.labels(f"P{event.priority}").observe(event.latency_ms / 1_000)

    def count_ended(self, reason: str) -> None:
        """One stream ended."""
        self._ended.labels(reason).inc()

    def watch_events(self, events: EventStore) -> None:
        """Count every event from now on, and show the log's own counters."""
        events.subscribe(lambda _seq, event, _body: self.count_event(event))
        for name in events.counters():
            gauge = Gauge(f"faultline_event_log_{name}", f"Event log {name}.", registry=self.registry)
            gauge.set_function(lambda name=name: float(events.counters()[name]))  # type: ignore[misc]
        Gauge("faultline_event_log_seq", "Number of the newest event.", registry=self.registry).set_function(
            lambda: float(events.last_seq)
        )

    def watch_alerts(self, desk: AlertDeskLike) -> None:
        """Show what became of the alerts of every rule, and the courier's own counters, as they stand when asked."""
        self.registry.register(_AlertRules(desk))
        for name in desk.counters():
            gauge = Gauge(f"faultline_alert_courier_{name}", f"Alerts: {name}.", registry=self.registry)
            gauge.set_function(lambda name=name: float(desk.counters()[name]))  # type: ignore[misc]

    def watch(self, store: MapStore, hub: Hub, fanout: Fanout) -> None:
        """Show the counters of store, bus and connected venues as they stand when asked."""
        for name in store.counters():
            gauge = Gauge(f"faultline_store_{name}", f"Store counter {name}.", registry=self.registry)
            gauge.set_function(lambda name=name: float(store.counters()[name]))  # type: ignore[misc]
        Gauge("faultline_silence_seconds", "Age of the last write.", registry=self.registry).set_function(
            store.silence_s
        )
        Gauge("faultline_stream_clients", "Connected clients.", registry=self.registry).set_function(
            lambda: float(fanout.n_clients)
        )
        Gauge(
            "faultline_stream_holes", "Times that the stream lost messages.", registry=self.registry
        ).set_function(lambda: float(fanout.n_holes))
        self.registry.register(SourceSeries(store))
        for name in ("published", "delivered", "dropped", "overflowed", "subscriptions", "queued"):
            gauge = Gauge(f"faultline_bus_{name}", f"Bus counter {name}.", registry=self.registry)
            gauge.set_function(lambda name=name: float(getattr(hub.bus.counters(), name)))  # type: ignore[misc]

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _AlertRules(Collector):
    """Counters of every alert rule in force; a rule that is deleted takes its own with it."""

    def __init__(self, desk: AlertDeskLike) -> None:
        self._desk = desk

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counters as they stand now."""
        matched = CounterMetricFamily(
            "faultline_alert_matches", "Events that a rule matched.", labels=["rule"]
        )
        held = CounterMetricFamily(
            "faultline_alert_suppressed",
            "Matched events that a rule held back, by reason.",
            labels=["rule", "reason"],
        )
        messages = CounterMetricFamily(
            "faultline_alert_messages",
            "Messages of a rule that ended, one per target, by outcome.",
            labels=["rule", "outcome"],
        )
        for rule, counts in self._desk.rule_counts().items():
            matched.add_metric([rule], counts.get("matched", 0))
            for reason in _HELD_BACK:
                held.add_metric([rule, reason], counts.get(reason, 0))
            for outcome in _OUTCOMES:
                messages.add_metric([rule, outcome], counts.get(outcome, 0))
        yield from (matched, held, messages)
