"""States of learners as text: every array comes back to the byte, and what is no state is refused."""

from __future__ import annotations

import base64
import zlib

import msgspec
import numpy as np
import pytest

from faultline.market.path import PATH_ROW
from faultline.pipeline.packed_state import pack, unpack

STATE = {
    "whole": np.array([1, -(2**62)]),
    "real": np.array([[0.1, np.nan], [-np.inf, 5e-324]]),
    "flags": np.array([True, False]),
    "head": np.frombuffer(b"\x00\xff", dtype=np.uint8),
    "rows": np.ones(3, dtype=PATH_ROW),
    "none": np.zeros((0, 4)),
    "number": np.array(7.0),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def test_arrays_come_back_as_they_were() -> None:
    text = pack(STATE)
    found = unpack(text)
    assert list(found) == list(STATE)
    for name, values in STATE.items():
        assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape)
        assert found[name].tobytes() == values.tobytes()
        assert found[name].flags.writeable
    assert pack(found) == text == pack(STATE)


def packed(plain: bytes) -> str:
    return base64.b64encode(zlib.compress(plain)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no state",
        pack(STATE)[:-8],
        base64.b64encode(b"plain").decode(),
        packed(b"plain"),
        packed(msgspec.msgpack.encode({"whole": b"1, 2"})),
        packed(bytes(64 * 1024 * 1024)),
    ],
)
def test_what_was_not_packed_here_is_refused(text) -> None:
    with pytest.raises(ValueError, match="no packed state"):
        unpack(text)


def test_objects_are_not_packed() -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        pack({"any": np.array([object()])})
