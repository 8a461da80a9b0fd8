"""Environment and files of the home folder in, checked settings out; the only place that reads the environment."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.alerts.rules import parse_rules
from faultline.alerts.targets import TARGETS_MAX, Target, make_target, nearest
from faultline.errors import ConfigError
from faultline.sources.registry import SLUGS
from faultline.store.alert_rules import AlertRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultline.sources.venue import Venue

__all__ = (
    "SETTINGS",
    "AlertSetup",
    "Settings",
    "VenueAddresses",
    "read_addresses",
    "read_alerts",
    "read_settings",
)

#: Every environment variable that is read, and what it means.
SETTINGS: Final[dict[str, str]] = {
    "FAULTLINE_HOME": "Folder for what is kept between runs; by default faultline in the user's data folder.",
    "FAULTLINE_API_KEY": "Key that requests must carry; needed to listen on anything but loopback.",
    "FAULTLINE_ALLOWED_HOSTS": "Comma-separated host names, besides loopback, that requests may be addressed to.",
    "FAULTLINE_TARGET_<NAME>": "Address that alerts to the target <name> go to; see docs/how-to/alerts.md.",
}
#: Start of the variables that hold addresses of targets.
_TARGET_PREFIX: Final = "FAULTLINE_TARGET_"
#: Files of the home folder, and how large they may be.
_RULES_FILE: Final = "alerts.toml"
_TARGETS_FILE: Final = "targets.toml"
_VENUES_FILE: Final = "venues.toml"
_FILE_BYTES_MAX: Final = 256 * 1024


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

    @property
    def wallets(self) -> Path:
        """Folder for the accounts that were found at venues which answer for accounts, a file per venue."""
        return self.home / "wallets"

    def facts(self, *, simulated: bool) -> Path:
        """Database of facts; simulated and recorded ones never share one."""
        return self.home / ("simulated.db" if simulated else "recorded.db")

    def played(self, port: int) -> Path:
        """Fresh database for zones and events of a market that is played: its past is rebuilt by every start.

        Raises:
            ConfigError: the one of an earlier start cannot be removed.
        """
        path = self.home / f"played-{port or os.getpid()}.db"
        try:
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                (self.home / name).unlink(missing_ok=True)
        except OSError as exc:
            msg = f"cannot remove what was played before: {exc.strerror}"
            raise ConfigError(msg, where=str(path), hint="Remove the file, or use another port.") from exc
        return path


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


class AlertSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured about alerts.

    Attributes:
        rules: rules of ``alerts.toml``.
        targets: targets of the environment and of ``targets.toml``; the environment's win.
        warnings: what works but should not stay as it is.
    """

    rules: tuple[AlertRule, ...]
    targets: tuple[Target, ...]
    warnings: tuple[str, ...]


def read_alerts(settings: Settings, environment: Mapping[str, str] | None = None) -> AlertSetup:
    """Targets from the environment and ``targets.toml``, rules from ``alerts.toml``, both in the home folder.

    Raises:
        ConfigError: a file cannot be read, a key is unknown, a value cannot be used. Addresses are not shown.
    """
    known = os.environ if environment is None else environment
    targets: dict[str, Target] = {}
    path = settings.home / _TARGETS_FILE
    text = _file_text(path)
    warnings = _warnings(path) if text is not None else ()
    for name, url in _addresses(text or "", path).items():
        targets[name] = make_target(name, url, f"{path}: targets.{name}"[:200])
    for variable in sorted(known):
        name = variable.removeprefix(_TARGET_PREFIX).lower()
        if variable.startswith(_TARGET_PREFIX) and known[variable].strip():
            targets[name] = make_target(name, known[variable].strip(), variable)
    if len(targets) > TARGETS_MAX:
        raise ConfigError(f"there are {len(targets)} targets", where=str(path), hint=f"at most {TARGETS_MAX}")
    rules_path = settings.home / _RULES_FILE
    rules = parse_rules(_file_text(rules_path) or "", targets, str(rules_path))
    return AlertSetup(rules=rules, targets=tuple(targets.values()), warnings=warnings)


def _addresses(text: str, path: Path) -> dict[str, str]:
    """The table ``[targets]``; errors tell places, never contents."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        _, _, place = str(exc).rpartition("(")
        raise ConfigError(
            "this is not TOML (what is wrong is not shown: it may be part of a secret)",
            where=f"{path}, {place.rstrip(')')}",
            hint='[targets] above lines like phone = "scheme://..."',
        ) from None
    for key in content:
        if key != "targets":
            raise ConfigError(
                f"there is no key {key[:40]!r}", where=str(path), hint=nearest(key, ("targets",))
            )
    table = content.get("targets", {})
    if not isinstance(table, dict) or not all(isinstance(url, str) for url in table.values()):
        raise ConfigError(
            "targets is not a table of texts",
            where=str(path),
            hint='write phone = "scheme://..." under [targets]',
        )
    return table


def _file_text(path: Path) -> str | None:
    """Content of a file, None where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
        if len(content) > _FILE_BYTES_MAX:
            raise ConfigError(
                "the file is too large", where=str(path), hint=f"at most {_FILE_BYTES_MAX} bytes"
            )
        return content.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError("the file is not UTF-8", where=str(path), hint="save it as UTF-8") from None
    except OSError as exc:
        raise ConfigError(
            f"the file cannot be read: {exc.strerror}", where=str(path), hint="check its permissions"
        ) from exc


def _warnings(path: Path) -> tuple[str, ...]:
    """A complaint about a file with secrets that everybody on the machine can read or change."""
    if os.name != "posix" or not path.stat().st_mode & 0o007:
        return ()
    return (f"{path} holds secrets and is open to every user of this machine: chmod 600 it",)


class VenueAddresses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of one venue, by the names that the venue has for them, in place of its own."""

    sockets: dict[str, str] = {}
    rest: dict[str, str] = {}


def read_addresses(settings: Settings, venues: Mapping[str, Venue]) -> dict[str, VenueAddresses]:
    """Tables ``[<venue>.sockets]`` and ``[<venue>.rest]`` of ``venues.toml`` in the home folder, for these venues.

    Raises:
        ConfigError: the file cannot be read, a venue or a name is unknown, or an address has another scheme.
    """
    path = settings.home / _VENUES_FILE
    try:
        found = msgspec.toml.decode(_file_text(path) or "", type=dict[str, VenueAddresses])
    except (msgspec.MsgspecError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(
            str(exc), where=str(path), hint='[bybit.sockets] above lines like linear = "wss://..."'
        ) from exc
    for slug, addresses in found.items():
        if slug not in SLUGS:
            raise ConfigError(f"there is no venue {slug[:40]!r}", where=str(path), hint=nearest(slug, SLUGS))
        if slug in venues:
            _check_addresses(
                f"{path}: {slug}.sockets", addresses.sockets, venues[slug].sockets, ("wss", "ws")
            )
            _check_addresses(f"{path}: {slug}.rest", addresses.rest, venues[slug].rest, ("https", "http"))
    return {slug: addresses for slug, addresses in found.items() if slug in venues}


def _check_addresses(
    where: str, given: Mapping[str, str], known: Mapping[str, str], schemes: tuple[str, ...]
) -> None:
    for name, url in given.items():
        if name not in known:
            raise ConfigError(
                f"there is no address {name[:40]!r}", where=where, hint=nearest(name, tuple(known))
            )
        scheme, colon, rest = url.partition("://")
        if scheme not in schemes or not colon or not rest:
            raise ConfigError(
                f"{name} is not an address", where=where, hint=f"It begins with {schemes[0]}://"
            )
