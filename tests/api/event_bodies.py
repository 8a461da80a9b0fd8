"""Events for tests."""

from __future__ import annotations

from faultline.signals.events import EventType, make_event


def event(n, *, asset="BTC", kind=EventType.SOURCE_DOWN, mode="live", latency_ms=3.0):
    """The ``n``-th event: a source of the asset fell silent, or came back."""
    return make_event(
        kind,
        asset=asset,
        subject=f"binance:{asset}USDT",
        detected_at_ns=1_768_176_000_000_000_000 + n * 1_000_000_000,
        data={
            "instrument": f"binance:{asset}USDT",
            "silent_s": float(n),
            "channels": [],
            "status": "silent",
            "detail": "",
        },
        simulated=False,
        mode=mode,
        latency_ms=latency_ms,
    )
