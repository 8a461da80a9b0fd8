"""What the API needs of alerts, as a protocol: the wiring hands over something that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from faultline.store.alert_rules import AlertRule

__all__ = ("AlertDeskLike",)


class AlertDeskLike(Protocol):
    """Keeps rules, delivers alerts, and tells about both. Methods may block and raise errors of the tree."""

    def overview(self, limit: int) -> dict[str, Any]:
        """Fields of ``AlertsBody``, with at most so many deliveries."""
        ...

    def counters(self) -> dict[str, int]:
        """Counts since the start; cheap, for every scrape of the metrics."""
        ...

    def rule_counts(self) -> dict[str, dict[str, int]]:
        """By rule: ``matched`` events, those held back as ``quiet``, ``rate`` or ``duplicate``, and messages that
        were ``sent``, ``failed`` or ``dropped``; what never happened may be missing.
        """
        ...

    def put_rule(self, rule: AlertRule) -> None:
        """Make or change a rule."""
        ...

    def delete_rule(self, name: str) -> None:
        """Delete a rule."""
        ...

    def test_target(self, name: str) -> dict[str, Any]:
        """Send a test message; fields of ``AlertTestBody``."""
        ...

    def test_rule(self, name: str) -> dict[str, Any]:
        """Try a rule on past events; fields of ``AlertTestBody``."""
        ...
