"""A message and a target in, one attempt to deliver it out; the only place that knows the apprise library.

Addresses hold secrets, and libraries like to log them. While a thread sends, whatever any library logs in it
is replaced by a fixed sentence before a log sees it; only a status code is read from it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apprise import AppriseAsset, NotifyBase

    from faultline.alerts.targets import Target
    from faultline.alerts.texts import AlertText

__all__ = ("Refused", "is_usable", "send")

_WITHHELD: Final = "a library said something while an alert was sent; withheld, it may name an address"
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
#: Answers that the same message will get again.
_FINAL_STATUSES: Final = frozenset({400, 401, 403, 404, 405, 410, 413})
_NOTES_MAX: Final = 20


class Refused(Exception):
    """A target did not take a message.

    Args:
        reason: what to tell people; never contains an address.
        is_final: whether trying again is pointless.
    """

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class _Sending(threading.local):
    """What libraries said in this thread while it was sending; None while it is not."""

    notes: list[str] | None = None


_SENDING: Final = _Sending()
_LOADING: Final = threading.Lock()


def is_usable(target: Target) -> bool:
    """Whether apprise can make something of a target's address; nothing is sent."""
    with _withheld():
        plugin = _plugin(target)
    return plugin is not None


def send(target: Target, text: AlertText) -> None:
    """Deliver a message, once. Blocks for as long as the target's library does.

    Raises:
        Refused: the target cannot be used, cannot be reached or did not take the message.
    """
    from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415 - a quarter of a second to import

    with _withheld() as notes:
        plugin = _plugin(target)
        if plugin is None:
            raise Refused("the address of this target cannot be used", is_final=True)
        outbox = Apprise(asset=_asset())
        outbox.add(plugin)
        try:
            taken = outbox.notify(
                title=text.summary,
                body=text.text,
                body_format=NotifyFormat.TEXT,
                notify_type=NotifyType.WARNING if text.is_urgent else NotifyType.INFO,
            )
        except Exception as exc:  # noqa: BLE001 - plugins raise anything; its text may hold the address
            raise Refused(f"the target failed with {type(exc).__name__}", is_final=False) from None
    if not taken:
        raise _refusal(notes)


def _refusal(notes: list[str]) -> Refused:
    """Why a message was not taken, as far as a status code or the kind of failure tells."""
    said = " ".join(notes)
    statuses = [int(code) for code in _STATUS.findall(said)]
    if statuses:
        return Refused(f"the target answered {statuses[-1]}", is_final=statuses[-1] in _FINAL_STATUSES)
    if "onnection error" in said:
        return Refused("the target cannot be reached", is_final=False)
    return Refused("the target did not take the message", is_final=False)


def _plugin(target: Target) -> NotifyBase | None:
    """The library's object for a target; None where its address is of no use, or of another scheme."""
    from apprise import Apprise  # noqa: PLC0415 - as above

    found = Apprise.instantiate(target.secret_url(), asset=_asset())
    if found is None:
        return None
    plain: Any = found
    schemes: set[str] = set()
    for named in (plain.protocol, plain.secure_protocol):
        schemes |= {named} if isinstance(named, str) else set(named or ())
    if target.scheme not in schemes:
        return None
    # The courier tries again and keeps count; ?retry= and ?optional= in an address would hide what happened.
    plain.retry, plain.optional = 0, False
    return found


def _asset() -> AppriseAsset:
    with _LOADING:
        return _load()


@functools.cache
def _load() -> AppriseAsset:
    """How messages present themselves: no pictures from elsewhere, nothing kept on disk, no threads of its own."""
    # What the libraries warn about is for their authors, or names a host.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"apprise\b")
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - as above

    _withhold_logs()
    # Loads the library's plugins, which takes another while.
    Apprise.instantiate("json://localhost")
    return AppriseAsset(
        app_id="Faultline",
        app_desc="Faultline alerts",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        service_timeout=0,
        storage_mode="memory",
    )


@functools.cache
def _withhold_logs() -> None:
    """From now on, log records made by a sending thread carry a fixed sentence instead of theirs."""
    make = logging.getLogRecordFactory()

    def withhold(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        notes = _SENDING.notes
        if notes is not None:
            if len(notes) < _NOTES_MAX:
                notes.append(_said(record))
            record.msg, record.args, record.exc_info, record.stack_info = _WITHHELD, (), None, None
        return record

    logging.setLogRecordFactory(withhold)
    # What apprise says becomes the error of a delivery; on stderr it would be noise.
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()[:500]
    except (TypeError, ValueError):
        return ""


@contextlib.contextmanager
def _withheld() -> Iterator[list[str]]:
    _asset()
    notes: list[str] = []
    _SENDING.notes = notes
    try:
        yield notes
    finally:
        _SENDING.notes = None
