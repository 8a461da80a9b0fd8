"""What a tape teaches goes into a file that is hashed, only ever added to, and served as it is once it is frozen."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from faultline.errors import ConfigError, NotFound, StoreError
from faultline.learning.constants import LearnerSettings
from faultline.messages import Kind
from faultline.pipeline.learn_tape import learn_tape
from faultline.pipeline.learned_file import (
    LearnedFile,
    freeze,
    read_learned,
    read_learned_or_settings,
    roll_back,
    thaw,
    write_learned,
)
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.simulator import Simulation, load_world
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS, MINUTE_NS, parse_time_ns

START = parse_time_ns("2026-01-05T22:00")
HOURS = 3
#: The tape begins before what is learned, and what is learned neither begins nor ends on a whole hour.
FROM, TO = START + 30 * MINUTE_NS, START + 2 * HOUR_NS + 30 * MINUTE_NS
PARAMETERS = PipelineParameters(learner=LearnerSettings(pooled_below=5.0, starting_events=2.0))


@pytest.fixture(scope="module")
def tape(tmp_path_factory) -> Tape:
    folder = tmp_path_factory.mktemp("learned") / "tape"
    batches = Simulation(load_world("three-assets"), 3, START, keeps_truth=False).advance(
        START + HOURS * HOUR_NS
    )
    with TapeWriter(folder, simulated=True, world="three-assets") as writer:
        writer.append([batch for batch in batches if batch.symbol.startswith("BTC")])
    return Tape(folder)


@pytest.fixture(scope="module")
def learned(tape) -> LearnedFile:
    return learn_tape(tape, ["BTC"], PARAMETERS, from_ns=FROM, to_ns=TO)[0]


def test_everything_that_is_learned_is_in_the_file(tape, learned) -> None:
    kinds = {(each.at, each.kind) for each in learned.snapshots}
    assert ("2026-01-05T23:00:00Z", "hour") in kinds
    assert ("2026-01-06T00:00:00Z", "day") in kinds
    assert ("2026-01-06T00:30:00Z", "end") in kinds
    assert [each.version for each in learned.snapshots] == [1, 2, 3]
    feeds = {feed.feed: feed for feed in learned.current.feeds}
    assert sorted(feeds) == tape.ids(Kind.LIQUIDATION)
    for feed in feeds.values():
        assert sum(feed.mix) == pytest.approx(1.0)
        assert all(found.low <= found.share <= found.high for found in feed.bins)
        assert sum(feed.hypotheses.values()) == pytest.approx(1.0)
        assert feed.advantage.events == feed.events > 0
        assert {"delay", "reporting fraction"} <= {row["name"] for row in feed.calibration}
        assert feed.offset_advantage is not None
        assert feed.offset_advantage.nats > 0
    assert learned.current.cascades == () or learned.current.cascades[0].hits > 0
    assert learned.tape.sha256 == tape.sha256()
    assert (learned.world, learned.simulated) == ("three-assets", True)


def test_liquidations_before_the_stretch_teach_nothing(tape, learned) -> None:
    for feed in learned.current.feeds:
        rows = tape.read(Kind.LIQUIDATION, feed.feed, FROM, TO)
        # A learner begins with the whole minute after its first event, and learns up to the last one.
        assert 0 < feed.events <= len(rows)


def test_learning_twice_gives_the_same_file(tape, learned) -> None:
    again = learn_tape(tape, ["BTC"], PARAMETERS, from_ns=FROM, to_ns=TO)[0]
    assert again == learned


def test_a_file_is_read_as_it_was_written(learned, tmp_path) -> None:
    path = tmp_path / "folder" / "learned.json"
    write_learned(learned, path)
    assert read_learned(path) == learned
    # People read it: a mix is a line.
    lines = path.read_text().splitlines()
    assert sum(line.strip().startswith('"mix": [') and line.rstrip(",").endswith("]") for line in lines) > 3
    assert [each.name for each in path.parent.iterdir()] == ["learned.json"]


def test_an_earlier_file_may_lack_settings_that_came_later(learned, tmp_path) -> None:
    plain = json.loads(msgspec.json.encode(thaw(learned)))
    assert plain["settings"].pop("smooth_bps") == PARAMETERS.smooth_bps
    path = tmp_path / "learned.json"
    path.write_text(json.dumps(plain))
    with pytest.raises(ConfigError, match="settings"):
        read_learned(path)
    from faultline.pipeline import learned_file

    plain["settings_sha256"] = learned_file._hash(plain["settings"])
    plain["sha256"] = learned_file._hash(plain)
    path.write_text(json.dumps(plain))
    assert read_learned(path).settings.smooth_bps == PARAMETERS.smooth_bps


def damaged(text: str, seed: int) -> str:
    """One digit of the file is another."""
    digits = [k for k, letter in enumerate(text) if letter.isdigit()]
    k = digits[int(np.random.default_rng(seed).integers(len(digits)))]
    return f"{text[:k]}{(int(text[k]) + 1) % 10}{text[k + 1 :]}"


@pytest.mark.parametrize("seed", range(25))
def test_no_digit_can_be_changed_without_being_noticed(learned, tmp_path, seed) -> None:
    path = tmp_path / "learned.json"
    write_learned(learned, path)
    text = path.read_text()
    path.write_text(damaged(text, seed))
    if json.loads(path.read_text()) == json.loads(text):
        # The last digit of a long number may not change it.
        assert read_learned(path) == learned
        return
    with pytest.raises(ConfigError) as caught:
        read_learned(path)
    assert caught.value.where == str(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace('"version": 1,', '"version": 2,', 1), "cannot be read"),
        (lambda text: text.replace("faultline.learned", "somebody.else", 1), "no file of learned"),
        (lambda _: "", "no file of learned"),
        (lambda text: text.replace('"frozen": false', '"frozen": true', 1), "change 1"),
        (lambda text: text.replace('"kind": "hour"', '"kind": "day"', 1), "snapshot"),
    ],
)
def test_a_file_that_is_no_parameter_file_is_named(learned, tmp_path, spoil, word) -> None:
    path = tmp_path / "learned.json"
    write_learned(learned, path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(ConfigError, match=word):
        read_learned(path)


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_learned_or_settings(tmp_path / "nowhere.json")


def test_what_cannot_be_written_is_named(learned, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_learned(learned, tmp_path / "file" / "learned.json")


def test_settings_in_json_are_still_parameters(tmp_path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"smooth_bps": 7}')
    parameters, learned = read_learned_or_settings(path)
    assert (parameters.smooth_bps, learned) == (7.0, None)


def test_history_is_only_ever_added_to(learned, tmp_path) -> None:
    path, kept = tmp_path / "learned.json", learned
    for change in (
        lambda file: freeze(file, START + HOUR_NS),
        lambda file: roll_back(file, version=2),
        lambda file: roll_back(file, at_ns=TO - 1),
        thaw,
        freeze,
    ):
        changed = change(kept)
        assert changed.changes[: len(kept.changes)] == kept.changes
        assert changed.snapshots == kept.snapshots
        write_learned(changed, path)
        kept = read_learned(path)
        assert kept == changed
    assert [(c.action, c.version, c.frozen) for c in kept.changes] == [
        ("learned", 3, False),
        ("frozen", 1, True),
        ("rolled back", 2, True),
        ("rolled back", 2, True),
        ("thawed", 2, False),
        ("frozen", 2, True),
    ]


def test_a_change_that_was_taken_out_is_noticed(learned, tmp_path) -> None:
    whole = freeze(roll_back(learned, version=1))
    without = msgspec.structs.replace(whole, changes=(whole.changes[0], whole.changes[2]))
    write_learned(without, tmp_path / "learned.json")
    with pytest.raises(ConfigError, match="change 2"):
        read_learned(tmp_path / "learned.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda file: roll_back(file, version=4),
        lambda file: roll_back(file, version=0),
        lambda file: roll_back(file, at_ns=START),
        lambda file: freeze(file, START),
    ],
)
def test_what_was_never_kept_cannot_be_gone_back_to(learned, change) -> None:
    with pytest.raises(NotFound) as caught:
        change(learned)
    assert "Versions 1 to 3" in caught.value.hint


def test_frozen_parameters_are_served_unchanged(tape, learned) -> None:
    frozen = freeze(learned)
    replay = TapeReplay(tape, "BTC", frozen.parameters())
    span = replay.span(None, None)
    shard = replay.shard(span.warm_ns)
    replay.run(shard, span, lambda _: None, freeze=False)
    assert shard.learner.feeds == {}
    served = {iid: feed for feed in frozen.current.feeds for iid in feed.serves}
    assert served
    for iid, feed in served.items():
        np.testing.assert_array_equal(shard.members[iid].served.now[0], feed.mix)
    assert frozen.parameters().sha256() != PARAMETERS.sha256()


def test_parameters_that_are_not_frozen_are_where_learning_starts(tape, learned) -> None:
    replay = TapeReplay(tape, "BTC", learned.parameters())
    span = replay.span(None, START + HOUR_NS)
    shard = replay.shard(span.warm_ns)
    replay.run(shard, span, lambda _: None, freeze=False)
    for feed in learned.current.feeds:
        if feed.serves:
            np.testing.assert_array_equal(shard.learner.feeds[feed.feed].learner.prior.mix, feed.mix)
