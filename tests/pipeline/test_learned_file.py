"""What a tape teaches goes into a file that is hashed, only ever added to, and served as it is once it is frozen."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from faultline.cascades.chain import CascadeLearner, ChainSettings
from faultline.cascades.levels import LevelSettings
from faultline.errors import ConfigError, NotFound, StoreError
from faultline.learning.constants import LearnerSettings
from faultline.messages import Kind
from faultline.pipeline import learn_tape as learn_tape_module
from faultline.pipeline.given_mixes import FixedMix, GivenMixes
from faultline.pipeline.learn_tape import learn_tape
from faultline.pipeline.learned_file import (
    LearnedFile,
    Snapshot,
    first_file,
    freeze,
    read_learned,
    read_learned_or_settings,
    roll_back,
    snapshot_of,
    thaw,
    write_learned,
)
from faultline.pipeline.learned_rows import KeptState
from faultline.pipeline.model_report import learned_of
from faultline.pipeline.packed_state import pack, unpack
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.pipeline.restored import kept_states
from faultline.pipeline.shard import Shard
from faultline.pipeline.step import step
from faultline.simulator import Simulation, load_world
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS, MINUTE_NS, parse_time_ns

START = parse_time_ns("2026-01-05T22:00")
#: Chains are known once volatility is.
BEGIN = START - 5 * HOUR_NS
HOURS = 3
#: The tape begins before what is learned, and what is learned neither begins nor ends on a whole hour.
FROM, TO = START + 30 * MINUTE_NS, START + 2 * HOUR_NS + 30 * MINUTE_NS
PARAMETERS = PipelineParameters(
    learner=LearnerSettings(pooled_below=5.0, starting_events=2.0),
    chains=ChainSettings(draws=50, levels=LevelSettings(prominence_quantile=0.2)),
)


@pytest.fixture(scope="module")
def tape(tmp_path_factory) -> Tape:
    folder = tmp_path_factory.mktemp("learned") / "tape"
    batches = Simulation(load_world("three-assets"), 3, BEGIN, keeps_truth=False).advance(
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
        (lambda text: text.replace('"version": 2,', '"version": "two",', 1), "cannot be read"),
        (lambda text: text.replace('"at_ns"', '"when_ns"', 1), "cannot be read"),
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


@pytest.mark.parametrize(("version", "advice"), [(1, "Learn it again"), (3, "update faultline")])
def test_a_file_of_another_format_is_refused_with_what_to_do(learned, tmp_path, version, advice) -> None:
    path = tmp_path / "learned.json"
    plain = json.loads(msgspec.json.encode(learned)) | {"version": version}
    if version == 1:
        for snapshot in plain["snapshots"]:
            del snapshot["states"]
    path.write_text(json.dumps(plain))
    with pytest.raises(ConfigError, match=f"has format {version}, and this version reads format 2") as caught:
        read_learned_or_settings(path)
    assert advice in caught.value.hint


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


def played(tape, parameters: PipelineParameters, to_ns: int | None = None) -> Shard:
    """The shard after a replay of the whole tape, its market watched."""
    replay = TapeReplay(tape, "BTC", parameters)
    span = replay.span(None, to_ns)
    shard = replay.shard(span.warm_ns)
    shard.watch_from(parameters.zones, span.from_ns + 1)
    replay.run(shard, span, lambda _: None, freeze=False)
    return shard


def kept(snapshot: Snapshot, learner: str) -> dict[str, str]:
    return {state.subject: state.packed for state in snapshot.states if state.learner == learner}


def now(shard: Shard, learner: str) -> dict[str, str]:
    states = kept_states("BTC", shard.calibrator, shard.watch.cascades)
    return {state.subject: state.packed for state in states if state.learner == learner}


def differing(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    """Names of arrays that are not the same to the byte."""
    assert before.keys() == after.keys()
    return {name for name in before if before[name].tobytes() != after[name].tobytes()}


def test_every_snapshot_holds_where_each_learner_stood(tape, learned) -> None:
    for each in learned.snapshots:
        assert set(kept(each, "calibrator")) == {feed.feed for feed in each.feeds}
        assert set(kept(each, "chains")) == {"BTC"}
    texts = [kept(each, "calibrator")["simx:BTCUSDT"] for each in learned.snapshots]
    assert len(set(texts)) == len(texts)


def test_snapshots_that_would_make_the_file_too_large_are_left_out(tape, learned, monkeypatch) -> None:
    each = max(sum(len(state.packed) for state in snapshot.states) for snapshot in learned.snapshots)
    for room, kinds in ((2 * each, ["day", "end"]), (each, ["end"]), (0, ["end"])):
        monkeypatch.setattr(learn_tape_module, "_STATES_BYTES", room)
        less = learn_tape(tape, ["BTC"], PARAMETERS, from_ns=FROM, to_ns=TO)[0]
        assert [snapshot.kind for snapshot in less.snapshots] == kinds
        assert [snapshot.version for snapshot in less.snapshots] == [*range(1, len(kinds) + 1)]
        assert less.current.states == learned.current.states


def test_frozen_parameters_are_served_unchanged(tape, learned) -> None:
    frozen = freeze(learned)
    shard = played(tape, frozen.parameters())
    assert shard.learner.feeds == {}
    assert shard.calibrator.feeds == {}
    served = {iid: feed for feed in frozen.current.feeds for iid in feed.serves}
    assert served
    for iid, feed in served.items():
        np.testing.assert_array_equal(shard.members[iid].served.now[0], feed.mix)
    for learner in ("calibrator", "chains"):
        for subject, packed in kept(frozen.current, learner).items():
            before, after = unpack(packed), unpack(now(shard, learner)[subject])
            assert differing(before, after) <= {"head"}
    assert frozen.parameters().sha256() != PARAMETERS.sha256()


def test_chains_of_frozen_parameters_are_said_with_the_same_weights_from_beginning_to_end(
    tape, learned
) -> None:
    parameters = freeze(learned).parameters()
    for to_ns in (START + HOUR_NS, None):
        learner = played(tape, parameters, to_ns).watch.cascades.stream.learner
        begun = restored_learner(learned.current)
        assert learner.hazard.weights == begun.hazard.weights
        assert learner.recalibration.weights == begun.recalibration.weights
        assert (learner.hazard.model_share, learner.fraction.mean) == (
            begun.hazard.model_share,
            begun.fraction.mean,
        )
        assert learner.tau_ns() == begun.tau_ns()


def test_chains_were_learned(learned) -> None:
    assert any(restored_learner(learned.current).hazard.weights.values())


def restored_learner(snapshot: Snapshot) -> CascadeLearner:
    return CascadeLearner.from_state(PARAMETERS.chains, unpack(kept(snapshot, "chains")["BTC"]))


def test_what_is_reported_of_a_frozen_feed_is_what_the_file_says(tape, learned) -> None:
    frozen = freeze(learned, START + 2 * HOUR_NS)
    shard = played(tape, frozen.parameters())
    said = learned_of(shard)
    assert [row["feed"] for row in said["feeds"]] == [feed.feed for feed in frozen.current.feeds]
    for row, feed in zip(said["feeds"], frozen.current.feeds, strict=True):
        assert (row["frozen"], row["version"]) == (True, frozen.current.version)
        assert tuple(row["calibration"]["rows"]) == feed.calibration
        assert row["calibration"]["sides"] == feed.sides
        assert (tuple(row["mix"]), row["events"]) == (feed.believed_mix, feed.events)
    assert (said["cascade"]["frozen"], said["cascade"]["version"]) == (True, frozen.current.version)


def test_a_feed_serves_no_map_that_is_drawn_with_a_frozen_mix(tape, learned) -> None:
    first, second = learned.current.feeds
    assert first.serves == (first.feed,)
    fixed = FixedMix(
        feed="other:BTC", serves=first.serves, mix=first.mix, low=first.low, high=first.high, data_ratio=0.5
    )
    parameters = msgspec.structs.replace(PARAMETERS, given=GivenMixes(fixed=(fixed,)))
    found = {row["feed"]: row["serves"] for row in learned_of(played(tape, parameters))["feeds"]}
    assert found == {first.feed: [], second.feed: [second.feed]}


def test_calibrators_that_go_on_end_where_learning_at_once_would(tape, learned) -> None:
    shard = played(tape, roll_back(learned, version=2).parameters(), TO)
    at_once = kept(learned.current, "calibrator")
    assert now(shard, "calibrator").keys() == at_once.keys()
    for feed, packed in at_once.items():
        before, after = unpack(packed), unpack(now(shard, "calibrator")[feed])
        # What it heard of the leverage learner, which starts anew, and where it went on are others.
        differs = differing(before, after)
        heard = ("calibrator.reporting.", "calibrator.margin.")
        assert {name for name in differs if not name.startswith(heard)} <= {"head"}
    rows = learned_of(shard)["feeds"]
    assert {(row["frozen"], row["version"]) for row in rows} == {(False, 2)}


def test_nothing_is_learned_twice(tape, learned) -> None:
    shard = played(tape, learned.parameters(), TO)
    for learner in ("calibrator", "chains"):
        for subject, packed in kept(learned.current, learner).items():
            before, after = unpack(packed), unpack(now(shard, learner)[subject])
            assert differing(before, after) <= {"head"}
    longer = played(tape, learned.parameters())
    assert now(longer, "calibrator") != now(shard, "calibrator")


@pytest.mark.parametrize("change", [freeze, thaw])
def test_a_checkpoint_goes_on_with_what_is_frozen_or_learned(tape, learned, change) -> None:
    parameters = change(roll_back(learned, version=1)).parameters()
    replay = TapeReplay(tape, "BTC", parameters)
    cut, end = START + 100 * MINUTE_NS, START + HOURS * HOUR_NS
    shard = replay.shard(BEGIN)
    shard.watch_from(parameters.zones, BEGIN + 1)
    replay.run(shard, replay.span(None, cut), lambda _: None, freeze=False)
    again = Shard.from_state(shard.state(), shard.contracts.values(), parameters)
    for each in (shard, again):
        for end_ns, batches in replay.chunks(cut, end):
            step(each, batches, end_ns)
    for learner in ("calibrator", "chains"):
        assert now(again, learner) == now(shard, learner)
    assert (now(shard, "chains") == kept(learned.snapshots[0], "chains")) is (change is freeze)
    said = [learned_of(each) for each in (again, shard)]
    assert said[0]["cascade"] == said[1]["cascade"]
    rows = [[(row["version"], row["calibration"]) for row in each["feeds"]] for each in said]
    assert rows[0] == rows[1]


def rewritten(learned: LearnedFile, states: tuple[KeptState, ...]) -> LearnedFile:
    """The file with other states in a last snapshot, all hashes made anew."""
    last = learned.snapshots[-1]
    other = snapshot_of(last.version, last.at_ns, last.kind, last.feeds, last.cascades, states)
    return first_file(
        learned.tape,
        learned.settings,
        [*learned.snapshots[:-1], other],
        simulated=learned.simulated,
        world=learned.world,
    )


@pytest.mark.parametrize("learner", ["calibrator", "chains"])
@pytest.mark.parametrize("spoil", ["version", "field", "text"])
def test_a_learner_of_another_version_is_refused_with_what_to_do(learned, tmp_path, learner, spoil) -> None:
    spoilt = []
    for state in learned.current.states:
        if state.learner == learner:
            arrays = unpack(state.packed)
            names = [name for name in arrays if name.endswith("version")]
            if spoil == "version":
                arrays |= {name: arrays[name] + 90 for name in names}
            else:
                arrays = {} if spoil == "field" else arrays
            packed = "no state" if spoil == "text" else pack(arrays)
            spoilt.append(msgspec.structs.replace(state, packed=packed))
        else:
            spoilt.append(state)
    path = tmp_path / "learned.json"
    write_learned(rewritten(learned, tuple(spoilt)), path)
    with pytest.raises(ConfigError, match=f"the {learner} of .* cannot go on in this one") as caught:
        read_learned_or_settings(path)
    assert "Learn it again" in caught.value.hint
    assert caught.value.where == str(path)


def test_learning_on_names_what_it_began_with_and_does_not_repeat_it(tape, learned) -> None:
    on = learn_tape(tape, ["BTC"], freeze(learned).parameters(), from_ns=FROM, to_ns=START + HOUR_NS)[0]
    given = on.settings.given.snapshot
    assert (given.sha256, given.feeds, given.states) == (learned.current.sha256, (), ())
    # Nothing was learned: what the file serves is what it began with.
    assert on.current.feeds == learned.current.feeds
    assert kept(on.current, "chains") == kept(learned.current, "chains")


def test_parameters_that_are_not_frozen_are_where_learning_starts(tape, learned) -> None:
    replay = TapeReplay(tape, "BTC", learned.parameters())
    span = replay.span(None, START + HOUR_NS)
    shard = replay.shard(span.warm_ns)
    replay.run(shard, span, lambda _: None, freeze=False)
    for feed in learned.current.feeds:
        if feed.serves:
            np.testing.assert_array_equal(shard.learner.feeds[feed.feed].learner.prior.mix, feed.mix)
