"""Settings in, whether alerts would reach anybody out; names of targets are shown, addresses never."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultline.cli.checks.outcome import Outcome, fail, ok, warn
from faultline.config import read_alerts
from faultline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultline.config import Settings

__all__ = ("check_alerts",)


def check_alerts(settings: Settings, environment: Mapping[str, str] | None = None) -> Outcome:
    """Whether targets and rules can be used, and whether secrets lie open; nothing is sent.

    Args:
        settings: whose home folder holds ``targets.toml`` and ``alerts.toml``.
        environment: holds targets too; by default that of this process.
    """
    try:
        setup = read_alerts(settings, environment)
    except ConfigError as exc:
        return fail("alerts", f"{exc.user_message} ({exc.where})", exc.hint)
    names = ", ".join(sorted(target.name for target in setup.targets))
    found = f"targets: {names or 'none'}; rules in alerts.toml: {len(setup.rules)}"
    if setup.warnings:
        return warn(
            "alerts", f"{found}; {'; '.join(setup.warnings)}", f"`chmod 600 {settings.home}/targets.toml`"
        )
    return ok("alerts", found)
