"""The error tree is the one its docstring draws, and every error tells what to do."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from faultline import errors
from faultline.errors import FaultlineError, PayloadRejected, RateLimited, SourceError

CLASSES = [getattr(errors, name) for name in errors.__all__]


def build(cls, **fields):
    extra = {
        RateLimited: {"retry_after_s": 2.0},
        PayloadRejected: {"venue": "okx", "channel": "trades", "digest": "ab12"},
    }
    return cls("the size is negative", **extra.get(cls, {}), **fields)


def test_the_docstring_draws_every_class_under_its_parent():
    drawn = {}
    stack = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"^    ([│ ├└─]*)([A-Z]\w+)", line)
        if match:
            depth = len(match.group(1)) // 4
            stack[depth:] = [match.group(2)]
            drawn[match.group(2)] = stack[depth - 1] if depth else "Exception"
    assert drawn == {cls.__name__: cls.__mro__[1].__name__ for cls in CLASSES}


def test_codes_are_unique_and_made_for_programs():
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z_]*", code) for code in codes)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_a_sentence_and_a_machine_form(cls):
    assert inspect.getdoc(cls).strip().endswith((".", "URL it is wrong in.", "do about it."))
    exc = build(cls, hint="send a positive size")
    assert "the size is negative" in str(exc)
    assert "send a positive size" in str(exc)
    assert exc.as_dict() == {
        "code": cls.code,
        "message": "the size is negative",
        "where": exc.where,
        "hint": "send a positive size",
    }


def test_a_rejected_payload_names_venue_channel_and_digest():
    exc = build(PayloadRejected)
    assert exc.where == "okx trades sha256:ab12"
    assert (exc.venue, exc.channel, exc.digest) == ("okx", "trades", "ab12")


def test_an_error_without_place_or_advice_is_just_its_sentence():
    assert str(FaultlineError("nothing to read")) == "nothing to read"
    assert str(FaultlineError("nothing to read", where="a.csv:3")) == "nothing to read (a.csv:3)"


def test_source_errors_say_whether_reconnecting_helps():
    assert not SourceError.is_terminal
    assert all(isinstance(cls.is_terminal, bool) for cls in CLASSES if issubclass(cls, SourceError))


@pytest.mark.parametrize("cls", CLASSES)
def test_errors_cross_a_process_boundary(cls):
    """A worker process returns its exception by pickling it; the fields must survive."""
    exc = build(cls, hint="wait")
    again = pickle.loads(pickle.dumps(exc))
    assert type(again) is cls
    assert again.as_dict() == exc.as_dict()
    assert again.__dict__ == exc.__dict__
