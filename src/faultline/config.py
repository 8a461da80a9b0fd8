"""The environment in, checked settings out; the only place that reads environment variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("SETTINGS", "Settings", "read_settings")

#: Every environment variable that is read, and what it means.
SETTINGS: Final[dict[str, str]] = {
    "FAULTLINE_HOME": "Folder for what is kept between runs; by default faultline in the user's data folder.",
    "FAULTLINE_API_KEY": "Key that requests must carry; needed to listen on anything but loopback.",
    "FAULTLINE_ALLOWED_HOSTS": "Comma-separated host names, besides loopback, that requests may be addressed to.",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one run.

    Attributes:
        home: folder for what is kept between runs.
        api_key: key that requests must carry; None where none is set.
        allowed_hosts: host names besides loopback.
    """

    home: Path
    api_key: str | None = None
    allowed_hosts: tuple[str, ...] = ()

    def facts(self, *, simulated: bool) -> Path:
        """Database of facts; simulated and recorded ones never share one."""
        return self.home / ("simulated.db" if simulated else "recorded.db")


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises:
        ConfigError: the home cannot be made.
    """
    known = os.environ if environment is None else environment
    base = Path(known.get("XDG_DATA_HOME") or Path(known.get("HOME") or Path.home()) / ".local" / "share")
    home = Path(known.get("FAULTLINE_HOME") or base / "faultline")
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        msg = f"cannot make the home folder: {exc.strerror}"
        raise ConfigError(
            msg, where=f"FAULTLINE_HOME={home}", hint="Point it to a folder you can write to."
        ) from exc
    key = known.get("FAULTLINE_API_KEY") or None
    hosts = tuple(
        name.strip() for name in known.get("FAULTLINE_ALLOWED_HOSTS", "").split(",") if name.strip()
    )
    return Settings(home=home, api_key=key, allowed_hosts=hosts)
