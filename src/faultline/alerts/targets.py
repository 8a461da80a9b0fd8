"""Addresses from the configuration in, named targets out whose addresses nobody can read by accident."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from faultline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("TARGETS_MAX", "TARGET_SCHEMES", "Target", "make_target", "nearest")

#: Schemes that a target may have, and what they reach. Anything that runs programs or writes files is absent.
TARGET_SCHEMES: Final[dict[str, str]] = {
    "bark": "Bark for iOS, plain HTTP",
    "barks": "Bark for iOS",
    "discord": "Discord webhook",
    "gotify": "Gotify, plain HTTP",
    "gotifys": "Gotify",
    "json": "JSON to a server of your own, plain HTTP",
    "jsons": "JSON to a server of your own",
    "mailto": "e-mail, unencrypted SMTP",
    "mailtos": "e-mail",
    "matrix": "Matrix, plain HTTP",
    "matrixs": "Matrix",
    "mmost": "Mattermost, plain HTTP",
    "mmosts": "Mattermost",
    "ntfy": "ntfy.sh, or a server of your own over plain HTTP",
    "ntfys": "ntfy",
    "pover": "Pushover",
    "signal": "Signal API server, plain HTTP",
    "signals": "Signal API server",
    "slack": "Slack",
    "tgram": "Telegram bot",
    "workflows": "Microsoft Teams workflow",
    "xml": "XML to a server of your own, plain HTTP",
    "xmls": "XML to a server of your own",
}
#: How many targets there may be.
TARGETS_MAX: Final = 32

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: Addresses of webhooks as their makers print them, which apprise reads as they are.
_PRINTED: Final = {
    "https://discord.com/api/webhooks/": "discord",
    "https://discordapp.com/api/webhooks/": "discord",
    "https://hooks.slack.com/services/": "slack",
}
_SCHEME: Final = re.compile(r"([a-z][a-z0-9]{0,15})://", re.IGNORECASE)
_URL_CHARS_MAX: Final = 4096


class Target:
    """A name and the address behind it.

    Texts of it (``str``, ``repr``, f-strings, logs) show name and scheme. The address can be had only by
    asking for it by name; it is not a field, so encoders and ``vars`` do not meet it.
    """

    __slots__ = ("_reveal", "name", "scheme")

    def __init__(self, name: str, scheme: str, url: str) -> None:
        self.name = name
        self.scheme = scheme

        def reveal() -> str:
            return url

        self._reveal = reveal

    def secret_url(self) -> str:
        """The address, for the one who sends."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Target({self.name!r}, {self.scheme}://...)"


def make_target(name: str, url: str, where: str) -> Target:
    """A checked target. What is wrong is said without its address.

    Args:
        name: what rules call it: lower-case letters, digits, ``_`` and ``-``.
        url: address in the form of the apprise library.
        where: variable or file and key that it comes from.

    Raises:
        ConfigError: the name cannot be used, or the address has no scheme of ``TARGET_SCHEMES``.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{name[:40]!r} cannot be the name of a target",
            where=where,
            hint="lower-case letters, digits, _ and -, at most 32, the first one a letter or digit",
        )
    found = _SCHEME.match(url)
    if found is None or len(url) > _URL_CHARS_MAX or not url.isprintable():
        raise ConfigError(
            f"the address of target {name!r} is not one (it is not shown: it may hold a secret)",
            where=where,
            hint=f"scheme://..., with one of {', '.join(TARGET_SCHEMES)}",
        )
    printed = next((known for start, known in _PRINTED.items() if url.startswith(start)), None)
    scheme = printed or found[1].lower()
    if scheme not in TARGET_SCHEMES:
        raise ConfigError(
            f"alerts are not sent by {scheme}://, which target {name!r} asks for",
            where=where,
            hint=nearest(scheme, TARGET_SCHEMES),
        )
    return Target(name, scheme, url)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest of the known words first."""
    words = list(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    listed = ", ".join(words) if words else "there is none yet"
    return (f"did you mean {close[0]!r}? " if close else "") + f"known: {listed}"
