"""A plan and the answers of the venue in, which subscriptions are confirmed, refused or to be asked for again out.

Venues refuse a request as a whole where they do not know one of its topics. Such a request is asked for once more in
parts, topic by topic, so that what is refused in the end is what the venue really does not give.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.sources.plan import SocketPlan

__all__ = ("NO_ANSWER", "Subscriptions", "is_about")

#: Why a subscription is refused that nobody answered.
NO_ANSWER: Final = "no answer"
#: Parts that one connection asks for at most; each is a request, and venues count those.
_PARTS_MOST: Final = 200


class Subscriptions:
    """Subscriptions of one connection.

    Args:
        plan: of the connection.

    Attributes:
        asked: keys that must be answered; the parts of a request in place of its own where it was taken apart.
        outstanding: those that are not.
        refused: key -> why. The empty key stands for a refusal that nobody can place.
        again: frames to send, in order.
        is_asked: every frame of the plan was sent.
        is_vague: the venue does not say what it confirms, so that what it refuses without a name may be any of it.
    """

    def __init__(self, plan: SocketPlan) -> None:
        self.asked, self.outstanding = set(plan.expects), set(plan.expects)
        self.refused: dict[str, str] = {}
        self.again: collections.deque[bytes] = collections.deque()
        self.is_asked = self.is_vague = False
        self._singly = plan.singly
        #: Keys of what was asked for alone.
        self._alone: set[str] = set()

    @property
    def is_answered(self) -> bool:
        """Everything was asked for, and has its answer."""
        return self.is_asked and not self.outstanding and not self.again

    @property
    def is_hopeless(self) -> bool:
        """Everything was refused."""
        return bool(self.asked) and self.asked <= self.refused.keys()

    def confirm(self, key: str) -> None:
        """Take a confirmation; one without a key is of all that was asked for, once all was."""
        if key:
            self.outstanding.discard(key)
            self.refused.pop(key, None)
        elif self.is_asked and not self.again:
            self.is_vague = self.is_vague or bool(self.outstanding)
            self.outstanding.clear()

    def refuse(self, key: str, detail: str) -> None:
        """Take a refusal."""
        if not key and len(self.outstanding) == 1:
            key = next(iter(self.outstanding))
        if key in self.outstanding and self._take_apart((key,)):
            return
        self.outstanding.discard(key)
        self.refused[key] = detail or "no reason given"

    def give_up(self) -> bool:
        """Wait no longer for answers; True where there is something to ask for again instead."""
        # Where something was refused that nobody could place, it is among what was not answered.
        if "" in self.refused and self._take_apart(sorted(self.outstanding)):
            self.refused.pop("")
            return True
        self.refused |= dict.fromkeys(sorted(self.outstanding), NO_ANSWER)
        self.outstanding.clear()
        return False

    def _take_apart(self, keys: Iterable[str]) -> bool:
        """Ask for the topics of requests one by one; False where there is nothing to take apart."""
        if self._singly is None:
            return False
        whole = [key for key in keys if key not in self._alone]
        parts = {part: frame for key in whole for part, frame in self._singly(key).items()}
        if len(parts) < 2 or len(self._alone) + len(parts) > _PARTS_MOST:
            return False
        self._alone |= parts.keys()
        for found in (self.asked, self.outstanding):
            found.difference_update(whole)
            found.update(parts)
        self.again.extend(parts.values())
        return True


def is_about(key: str, channel: str, channels: Iterable[str]) -> bool:
    """Whether a key is about a channel: it names it, or none of the plan's."""
    return channel in key or not any(one in key for one in channels)
