from __future__ import annotations

import pytest
from tests.tape.rows import trades, write_tape

from faultline.cli.checks.outcome import State
from faultline.cli.checks.tapes import check_tape
from faultline.tape import TapeWriter


@pytest.fixture
def tape(tmp_path):
    return write_tape(tmp_path / "tape", [trades(500, 1)], simulated=True, world="calm")


@pytest.mark.parametrize(("deep", "words"), [(False, "headers only"), (True, "verified")])
def test_a_sound_tape_is_fine(tape, deep, words):
    found = check_tape(tape, deep=deep)
    assert found.state is State.OK, found
    assert "simulated world calm" in found.found
    assert words in found.found


@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_without_a_tape_fails(tmp_path, deep):
    found = check_tape(tmp_path, deep=deep)
    assert found.state is State.FAIL
    assert "there is no tape here" in found.found
    assert "tape.json" in found.fix


def test_a_broken_manifest_fails(tape):
    (tape / "tape.json").write_text("{")
    found = check_tape(tape, deep=False)
    assert found.state is State.FAIL
    assert found.fix


def test_a_flipped_bit_is_found_by_the_deep_look(tape):
    part = max(tape.rglob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 4
    part.write_bytes(content)
    found = check_tape(tape, deep=True)
    assert found.state is State.FAIL
    assert part.name in found.found
    assert found.fix


def test_a_cut_file_is_found_without_a_deep_look(tape):
    part = max(tape.rglob("*.parquet"), key=lambda path: path.stat().st_size)
    part.write_bytes(part.read_bytes()[:-200])
    assert check_tape(tape, deep=False).state is State.FAIL


def test_an_empty_tape_is_mentioned(tmp_path):
    with TapeWriter(tmp_path / "tape", simulated=False):
        pass
    found = check_tape(tmp_path / "tape", deep=True)
    assert found.state is State.WARN
    assert "empty" in found.found
