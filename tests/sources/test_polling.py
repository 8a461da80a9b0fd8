"""Answers that come, come late, fail or say nothing, and what a poll tells of what was missing."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest
from tests.sources.local_venue import FakeTimer, contracts, now_ms

from faultline.errors import ConnectionLost
from faultline.sources.health import Status
from faultline.sources.plan import Poll, Request
from faultline.sources.polling import Polling
from faultline.sources.registry import venue_of
from faultline.units import SECOND_NS

CHANNEL, SYMBOL, EVERY_S = "account-ratio", "BTCUSDT", 60.0
START_NS = now_ms()


class Answers:
    """A venue that answers as it is told: ``fine``, ``refused`` or ``fails``, the last word for ever."""

    def __init__(self, timer, words):
        self.timer, self.words, self.asked_s = timer, list(words), []
        self.over = asyncio.Event()

    async def fetch(self, request, share):
        if not self.words:
            self.over.set()
            await asyncio.Event().wait()
        self.asked_s.append(self.timer.at_s)
        word = self.words.pop(0)
        if word == "fails":
            raise ConnectionLost("no answer", where="a test")
        at_ms = START_NS // 10**6 + int(self.timer.at_s * 1000)
        ratio = {"symbol": SYMBOL, "buyRatio": "0.6", "sellRatio": "0.4", "timestamp": str(at_ms)}
        found = {"retCode": 0, "retMsg": "OK", "result": {"list": [ratio]}}
        if word == "refused":
            found = {"retCode": 10006, "retMsg": "too many visits", "result": {}}
        return msgspec.json.encode(found)


def poll(words, *, every_s=EVERY_S):
    """Poll one symbol as long as there are words; the polling, when it was asked, and what it said was missing."""

    async def go():
        timer, lost = FakeTimer(), []
        answers = Answers(timer, words)
        mapper = venue_of("bybit").mapper({item.symbol: item for item in contracts()})
        polling = Polling(
            answers,
            mapper,
            stamp=lambda: START_NS + int(timer.at_s * SECOND_NS),
            timer=timer,
            rng=random.Random(1),
            lose=lost.append,
        )
        polling.plan([Poll(CHANNEL, SYMBOL, Request("/"), every_s)], mapper)
        running = asyncio.create_task(polling.run())
        await answers.over.wait()
        running.cancel()
        await asyncio.wait({running})
        return polling, answers, [one for one in lost if one.to_ns - one.from_ns > one.least_ns]

    return asyncio.run(go())


def at_ns(asked_s):
    return START_NS + int(asked_s * SECOND_NS)


def test_answers_in_time_leave_nothing_missing():
    polling, answers, lost = poll(["fine"] * 20)
    assert len(answers.asked_s) == 20
    assert sum(map(len, polling.drain())) == 20
    assert [one.from_ns for one in lost] == [0]  # since an earlier run, if there was one


@pytest.mark.parametrize("word", ["fails", "refused"])
@pytest.mark.parametrize("n_bad", [1, 4])
def test_from_the_last_answer_to_the_next_is_missing(word, n_bad):
    _, answers, lost = poll(["fine", "fine", *[word] * n_bad, "fine", "fine"])
    _, gap = lost
    assert (gap.channel, gap.symbols, gap.reason) == (CHANNEL, (SYMBOL,), "unanswered")
    assert gap.from_ns == at_ns(answers.asked_s[1])
    assert gap.to_ns == at_ns(answers.asked_s[2 + n_bad])


def test_an_answer_that_says_nothing_is_none():
    polling, _, _ = poll(["fine", "refused"])
    status, sentence = polling.states()[CHANNEL]
    assert status is Status.DOWN
    assert "nothing that can be taken" in sentence


def test_before_the_first_answer_an_earlier_run_says_since_when():
    _, answers, lost = poll(["fails", "fails", "fine"])
    (first,) = lost
    assert (first.from_ns, first.to_ns, first.reason) == (0, at_ns(answers.asked_s[2]), "recorder_down")


def test_what_is_missing_in_the_end_is_told_where_an_answer_was_due():
    polling, answers, _ = poll(["fine", "fails"])
    last_ns = at_ns(answers.asked_s[0])
    told = []
    polling._lose = told.append
    assert polling.finish(last_ns + 50 * SECOND_NS) == [(CHANNEL, SYMBOL)]
    polling.finish(last_ns + 100 * SECOND_NS)
    assert [one.to_ns - one.from_ns > one.least_ns for one in told] == [False, True]


def test_a_poll_that_is_wanted_no_more_tells_what_it_missed():
    polling, answers, _ = poll(["fine", "fails", "fails", "fails"])
    told = []
    polling._lose = told.append
    polling.plan([], polling._mapper)
    (gap,) = told
    assert gap.from_ns == at_ns(answers.asked_s[0])
    assert gap.to_ns - gap.from_ns > gap.least_ns
    assert polling.states() == {}
