from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.sources.archives.conftest import Folder

from faultline.errors import FaultlineError, ImportRejected, RequestError, TapeError, WorldMismatch
from faultline.messages import Batch, Kind, empty_rows
from faultline.sources.archives import FORMATS, import_files, importing
from faultline.sources.archives.journal import JOURNAL_FOLDER, Journal, rows_not_on_tape
from faultline.tape import Tape, TapeWriter
from faultline.tape.export import write_rows
from faultline.units import parse_time_ns

START_MS = parse_time_ns("2026-01-10T00:05") // 1_000_000
ASSETS = ("BTC", "ETH", "SOL", "ARB")


def fill(folder: Folder, n: int = 40, assets=ASSETS, start: int = 0) -> Folder:
    """Open interest of several coins."""
    for asset in assets:
        rng = np.random.default_rng(list(asset.encode()))
        oi = 9e4 + rng.integers(-500, 500, n)
        price = 2_000 + np.cumsum(rng.normal(0, 1, n))
        stamps = [START_MS + 300_000 * (start + k) for k in range(n)]
        folder.write(f"{asset}_oi_5m", list(zip(stamps, oi.tolist(), (oi * price).tolist(), strict=True)))
    return folder


@pytest.fixture
def source(folder):
    return fill(folder)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "tape"


def load(source, out, **options):
    return import_files("binance-oi-5m", [source.path], out, **options)


def test_the_report_accounts_for_every_row(source, out):
    source.write(
        "BTC_oi_5m", [(START_MS, 9e4, 1.8e8), (START_MS + 300_000, 0, 0), (START_MS + 602_000, 9e4, 1.8e8)]
    )
    (source.path / "notes.txt").write_text("hello")
    report = load(source, out, assets=["BTC", "ETH"])
    assert report.rows_read == 3 + 3 * 40
    assert report.rejected == {"zero_open_interest": 1, "outside_selection": 80}
    assert report.rows_kept == report.rows_read - 81
    assert report.repaired == {"stamp_rounded": 1}
    assert report.kinds["open_interest"].rows == 2 + 40
    assert report.kinds["open_interest"].symbols == ("binance:BTCUSDT", "binance:ETHUSDT")
    assert report.kinds["bar"].rows == 39
    assert [gap.reason for gap in report.gaps] == ["no_bars", "missing_rows"]
    assert report.ignored_files == ("notes.txt",)
    assert not report.resumed


def test_what_the_report_counts_is_on_the_tape(source, out):
    report = load(source, out)
    tape = Tape(out)
    assert report.sha256 == tape.sha256()
    assert report.tape == str(out)
    for name, count in report.kinds.items():
        kind = Kind(name)
        assert count.rows == sum(tape.n_rows(kind, instrument_id) for instrument_id in tape.ids(kind))
        spans = [tape.span_ns(kind, instrument_id) for instrument_id in tape.ids(kind)]
        assert (count.first_ns, count.last_ns) == (min(s[0] for s in spans), max(s[1] for s in spans))
        assert list(count.symbols) == tape.ids(kind)
    assert not tape.simulated
    msgspec.json.encode(report)


def test_the_size_of_a_chunk_does_not_change_the_tape(source, tmp_path):
    digests = {load(source, tmp_path / f"t{rows}", chunk_rows=rows).sha256 for rows in (1, 100, 10**6)}
    assert len(digests) == 1


def test_more_files_are_appended_and_the_order_of_imports_does_not_matter(tmp_path):
    parts = []
    for name, assets in (("a", ("BTC",)), ("b", ("ETH", "SOL"))):
        (tmp_path / name).mkdir()
        parts.append(fill(Folder(tmp_path / name), assets=assets))
    for out, order in (("one", parts), ("two", parts[::-1])):
        for part in order:
            load(part, tmp_path / out)
    assert Tape(tmp_path / "one").sha256() == Tape(tmp_path / "two").sha256()


def test_the_same_rows_twice_are_refused_and_the_tape_stays_as_it_was(source, out):
    digest = load(source, out).sha256
    with pytest.raises(ImportRejected, match="already") as failure:
        load(source, out)
    assert "BTC_oi_5m.csv" in failure.value.where
    assert Tape(out).sha256() == digest


def test_a_file_is_known_by_its_content_not_by_its_name_or_packing(source, out, tmp_path):
    load(source, out)
    (tmp_path / "copy").mkdir()
    copy = Folder(tmp_path / "copy")
    lines = (source.path / "BTC_oi_5m.csv").read_text().splitlines()[1:]
    path = copy.write("DOGE_oi_5m", lines, gz=True)
    with pytest.raises(ImportRejected, match="already"):
        import_files("binance-oi-5m", [path], out)


def test_other_assets_and_other_times_of_the_same_files_may_follow(source, tmp_path):
    middle = parse_time_ns("2026-01-10T01:00")
    whole = load(source, tmp_path / "whole")
    load(source, tmp_path / "parts", assets=["BTC", "ETH"])
    load(source, tmp_path / "parts", assets=["SOL", "ARB"], to_ns=middle)
    report = load(source, tmp_path / "parts", assets=["SOL", "ARB"], from_ns=middle)
    rows = [Tape(tmp_path / name).read(Kind.OPEN_INTEREST, "binance:SOLUSDT") for name in ("whole", "parts")]
    np.testing.assert_array_equal(*rows)
    assert report.rows_kept < whole.rows_kept
    with pytest.raises(ImportRejected, match="already"):
        load(source, tmp_path / "parts", assets=["ARB"], from_ns=middle - 10**12, to_ns=middle)


def test_what_a_tape_exports_as_csv_imports_as_the_same_tape(source, out, tmp_path):
    report = load(source, out)
    tape = Tape(out)
    (tmp_path / "export").mkdir()
    for kind in map(Kind, report.kinds):
        with (tmp_path / "export" / f"{kind}.csv").open("wb") as stream:
            write_rows(tape, kind, tape.ids(kind), stream, "csv")
    again = import_files("csv", [tmp_path / "export"], tmp_path / "again")
    assert again.sha256 == report.sha256


def test_assets_are_named_in_any_case(source, tmp_path):
    digests = {load(source, tmp_path / name, assets=[name]).sha256 for name in ("btc", "BTC")}
    assert len(digests) == 1


def test_a_bad_line_anywhere_leaves_no_trace_on_the_tape(source, out):
    with (source.path / "SOL_oi_5m.csv").open("a") as stream:
        stream.write("1768100000000,oops,1\n")
    with pytest.raises(ImportRejected):
        load(source, out)
    assert not out.exists()
    with (source.path / "SOL_oi_5m.csv").open("r+") as stream:
        text = stream.read().replace("oops", "9")
        stream.seek(0)
        stream.write(text)
    (source.path / "SOL_oi_5m.csv").unlink()
    assert load(source, out).rows_kept == 120


def test_recorded_rows_do_not_enter_a_simulated_tape(source, out):
    with TapeWriter(out, simulated=True, world="made"):
        pass
    with pytest.raises(WorldMismatch):
        load(source, out)
    assert not (out / JOURNAL_FOLDER).exists()


def test_two_imports_at_once_are_refused(source, out):
    with TapeWriter(out, simulated=False), pytest.raises(TapeError):
        load(source, out)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"from_ns": 5, "to_ns": 5}, "empty"),
        ({"assets": []}, "no asset"),
    ],
)
def test_an_empty_selection_is_refused(source, out, options, what):
    with pytest.raises(RequestError, match=what):
        load(source, out, **options)


def test_a_selection_without_rows_says_what_became_of_them(source, out):
    with pytest.raises(ImportRejected) as failure:
        load(source, out, assets=["XRP"])
    assert "160 outside_selection" in failure.value.hint
    assert not out.exists()


def test_an_unknown_format_names_the_known_ones(source, out):
    with pytest.raises(RequestError) as failure:
        import_files("parquet", [source.path], out)
    assert all(name in failure.value.hint for name in FORMATS)


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_says_what_it_reads_when_it_finds_nothing(name, tmp_path, out):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("a\n1\n")
    for path in (tmp_path / "empty", tmp_path / "other.csv"):
        with pytest.raises(ImportRejected) as failure:
            import_files(name, [path], out)
        assert FORMATS[name].expected_files in failure.value.hint
    with pytest.raises(ImportRejected, match="no such file"):
        import_files(name, [tmp_path / "absent"], out)


def test_two_files_of_one_name_are_refused_and_one_file_named_twice_is_read_once(source, out, tmp_path):
    (tmp_path / "b").mkdir()
    fill(Folder(tmp_path / "b"), assets=["BTC"])
    with pytest.raises(ImportRejected, match="two files are named BTC_oi_5m"):
        import_files("binance-oi-5m", [source.path, tmp_path / "b"], out)
    report = import_files("binance-oi-5m", [source.path, source.path / "BTC_oi_5m.csv"], out)
    assert report.rows_read == 160


def test_progress_grows_to_its_total(source, out):
    told: list[tuple[int, int, str]] = []
    load(source, out, progress=lambda *step: told.append(step))
    done, totals, labels = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {2 * sum(path.stat().st_size for path in source.path.iterdir())}
    assert done[-1] == totals[-1]
    assert any("BTC_oi_5m" in label for label in labels)


class Unplugged(Exception):
    """The power went."""


def breaking(at: int, *, after_write: bool, part: float = 1.0):
    """A tape writer whose ``at``-th append fails, before or after (a part of) its rows are on disk."""

    class Breaking(TapeWriter):
        n_appends = 0

        def append(self, batches):
            self.n_appends += 1
            if self.n_appends == at:
                if after_write:
                    super().append(batches[: round(len(batches) * part)])
                raise Unplugged
            super().append(batches)

    return Breaking


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize(("after_write", "part"), [(False, 0), (True, 0.5), (True, 1.0)])
def test_a_broken_import_goes_on_where_it_stopped(source, tmp_path, monkeypatch, at, after_write, part):
    whole = load(source, tmp_path / "whole")
    out = tmp_path / "broken"
    monkeypatch.setattr(importing, "TapeWriter", breaking(at, after_write=after_write, part=part))
    with pytest.raises(Unplugged):
        load(source, out, chunk_rows=60)
    monkeypatch.undo()
    report = load(source, out, chunk_rows=999)
    assert report.resumed
    assert report.sha256 == whole.sha256
    assert msgspec.structs.replace(report, tape="", resumed=False) == msgspec.structs.replace(whole, tape="")
    with pytest.raises(ImportRejected, match="already"):
        load(source, out)


def test_a_chunk_in_doubt_keeps_equal_rows_as_often_as_they_stand_in_the_file(tmp_path):
    rows = empty_rows(Kind.MARK, 5)
    rows["ts_event_ns"] = rows["ts_received_ns"] = [10, 10, 10, 11, 12]
    rows["mark_price_usd"] = [1.5, 1.5, 1.5, 2.5, 3.5]
    with TapeWriter(tmp_path, simulated=False) as writer:
        writer.append([Batch(Kind.MARK, "x:Y", rows[[0, 1, 3]])])
    left = rows_not_on_tape([Batch(Kind.MARK, "x:Y", rows)], Tape(tmp_path))
    assert left[0].rows["mark_price_usd"].tolist() == [1.5, 3.5]
    assert rows_not_on_tape([Batch(Kind.MARK, "x:Y", rows[:2])], Tape(tmp_path)) == []


def test_after_a_broken_import_another_one_must_wait(source, out, monkeypatch, tmp_path):
    monkeypatch.setattr(importing, "TapeWriter", breaking(2, after_write=False))
    with pytest.raises(Unplugged):
        load(source, out, chunk_rows=60)
    monkeypatch.undo()
    (tmp_path / "b").mkdir()
    other = fill(Folder(tmp_path / "b"), assets=["WIF"], start=5)
    with pytest.raises(ImportRejected, match="interrupted") as failure:
        load(other, out)
    assert "BTC_oi_5m.csv" in failure.value.hint
    assert load(source, out, chunk_rows=60).resumed
    assert not load(other, out).resumed


def test_a_damaged_journal_is_named(source, out):
    load(source, out)
    path = next((out / JOURNAL_FOLDER).glob("*.json"))
    path.write_text("{}")
    with pytest.raises(FaultlineError) as failure:
        Journal(out).entries()
    assert failure.value.where == str(path)


def test_a_file_that_changes_while_it_is_imported_is_noticed(source, out, monkeypatch):
    class Changing(TapeWriter):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            with (source.path / "SOL_oi_5m.csv").open("a") as stream:
                stream.write(f"{START_MS + 300_000 * 500},9,9\n")

    monkeypatch.setattr(importing, "TapeWriter", Changing)
    with pytest.raises(ImportRejected, match="changed while"):
        load(source, out)
