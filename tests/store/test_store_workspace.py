import contextlib
import errno
import gc
import os
import resource
import threading
from datetime import date, datetime
from itertools import count, pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import Lineage
from jiqun.store import Workspace
from jiqun.store.files import ROW_GROUP
from jiqun.store.manifest import Manifest
from jiqun.store.workspace import find_workspace

FRAME = pl.DataFrame({"name": ["甲", "乙"], "employees": [3, None]})


def load(workspace, frame=FRAME, table="organisations", as_of="2025-06-30", source="a.csv"):
    with workspace.new_snapshot(table, as_of=as_of, source=source) as writer:
        writer.write(frame)
    return writer.snapshot


def load_parts(workspace, frames):
    with workspace.new_snapshot("organisations", as_of="2025-07-01", source="b") as writer:
        writer.quarantine(FRAME)
        for frame in frames:
            writer.write(frame)


def code_of(error) -> str:
    return error.value.code


# Making and opening


def test_a_new_workspace_opens_and_holds_nothing(workspace):
    again = Workspace.open(workspace.path)
    assert again.tables() == ()
    assert again.verify() == ()
    assert again.history("links") == ()
    assert again.results("atlas") == ()
    assert again.result("atlas") is None
    assert again.cache.is_dir()


def test_init_refuses_a_folder_that_holds_something_and_a_file(tmp_path, workspace):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file", workspace.path):
        with pytest.raises(WorkspaceError) as caught:
            Workspace.init(path)
        assert code_of(caught) == "JQ-STORE-002"
    assert Workspace.open(workspace.path).tables() == ()


def test_init_takes_the_folder_one_stands_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Workspace.init(".").path == tmp_path.resolve()
    assert find_workspace(tmp_path / "a" / "b") == tmp_path


def test_open_refuses_what_is_no_workspace(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(WorkspaceError) as caught:
            Workspace.open(path)
        assert code_of(caught) == "JQ-STORE-001"
    assert find_workspace(tmp_path) is None


def test_open_refuses_a_later_format_and_says_so(workspace):
    path = workspace.path / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(WorkspaceError) as caught:
        Workspace.open(workspace.path)
    assert code_of(caught) == "JQ-STORE-003"
    assert "later version" in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "1", "nonsense", '{"format": 1}', "[" * 100_000, '{"format": "x", "digest": 3}']
)
def test_open_refuses_a_manifest_that_is_not_one(workspace, content):
    (workspace.path / "manifest.json").write_text(content)
    with pytest.raises(WorkspaceError) as caught:
        Workspace.open(workspace.path)
    assert code_of(caught) == "JQ-STORE-004"


def test_no_changed_byte_of_the_manifest_passes_for_another_state(workspace):
    load(workspace)
    workspace.put_result("test", Lineage("m", "1"), {"t": FRAME}, {"a": 1.5})
    path, good = workspace.path / "manifest.json", workspace.manifest()
    content = path.read_bytes()
    for position in range(len(content)):
        for change in (0x01, 0x20, 0x80):
            damaged = bytearray(content)
            damaged[position] ^= change
            with contextlib.suppress(WorkspaceError):
                assert Manifest.from_bytes(bytes(damaged), path) == good, position  # white space


# Snapshots


def test_what_was_loaded_comes_back_with_where_it_came_from(workspace):
    with workspace.new_snapshot("organisations", as_of=date(2025, 6, 30), source="登记.csv") as writer:
        writer.write(FRAME)
        writer.write(FRAME.head(0))
        writer.write(FRAME.tail(1))
        writer.quarantine(pl.DataFrame({"row": [7], "code": ["JQ-DATA-014"]}))
        writer.summary.update(read=4, kept=3, refused=1)
        assert (writer.rows, writer.quarantined) == (3, 1)
    snapshot = workspace.snapshot("organisations")
    assert snapshot == writer.snapshot
    assert snapshot == workspace.tables()[0] == workspace.history("organisations")[0]
    assert snapshot.id == f"2025-06-30-{snapshot.digest[:12]}"
    assert (snapshot.rows, snapshot.source, snapshot.quarantined) == (3, "登记.csv", 1)
    assert snapshot.summary == {"read": 4, "kept": 3, "refused": 1}
    assert snapshot.path == workspace.path / "tables" / "organisations" / f"{snapshot.id}.parquet"
    assert (snapshot.input.name, snapshot.input.digest, snapshot.input.as_of) == (
        "organisations",
        snapshot.digest,
        "2025-06-30",
    )
    assert_frame_equal(workspace.scan("organisations").collect(), pl.concat([FRAME, FRAME.tail(1)]))
    assert workspace.scan_quarantine(snapshot).collect().rows() == [(7, "JQ-DATA-014")]
    assert not (workspace.path / ".tmp").exists()


def test_types_survive(workspace):
    frame = pl.DataFrame(
        {
            "text": ["甲", None],
            "date": [date(2025, 1, 1), None],
            "time": [datetime(2025, 1, 1, 12, 30), None],  # noqa: DTZ001  # a column without a zone
            "flag": [True, None],
            "list": [[1.5, 2.5], []],
            "none": pl.Series([None, None], dtype=pl.Null),
            "small": pl.Series([1, 255], dtype=pl.UInt8),
            "choice": pl.Series(["x", None], dtype=pl.Enum(["x", "y"])),
            "category": pl.Series(["p", "q"], dtype=pl.Categorical),
        }
    )
    load(workspace, frame)
    assert_frame_equal(workspace.scan("organisations").collect(), frame)


def test_an_empty_frame_makes_an_empty_snapshot_and_no_frame_makes_none(workspace):
    load(workspace, FRAME.head(0))
    assert_frame_equal(workspace.scan("organisations").collect(), FRAME.head(0))
    with (
        pytest.raises(WorkspaceError) as caught,
        workspace.new_snapshot("organisations", as_of="2025-07-01", source="b"),
    ):
        pass
    assert code_of(caught) == "JQ-STORE-015"
    assert len(workspace.history("organisations")) == 1


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 2 * ROW_GROUP + 5000), max_size=6))
def test_equal_rows_give_the_same_snapshot_however_they_are_batched(tmp_path_factory, cuts):
    size = 2 * ROW_GROUP + 5000
    n = pl.col("n")
    frame = pl.select(n=pl.int_range(size)).with_columns(s=(n % 977).cast(pl.String), m=pl.when(n % 3 > 0).then(n))
    workspace = Workspace.init(tmp_path_factory.mktemp("batches"))
    whole = load(workspace, frame)
    edges = [0, *sorted(cuts), size]
    with workspace.new_snapshot("organisations", as_of="2025-06-30", source="parts") as writer:
        for start, end in pairwise(edges):
            writer.write(frame[start:end])
    assert writer.snapshot.digest == whole.digest
    assert_frame_equal(workspace.scan("organisations").collect(), frame)


@pytest.mark.parametrize(
    "other", [FRAME.select("employees", "name"), FRAME.drop("name"), FRAME.cast({"employees": pl.Float64})]
)
def test_frames_that_differ_are_refused_and_nothing_changes(workspace, other):
    first = load(workspace)
    with pytest.raises(UsageError) as caught:
        load_parts(workspace, [FRAME, other])
    assert code_of(caught) == "JQ-STORE-014"
    assert workspace.history("organisations") == (first,)


def test_an_error_while_loading_leaves_no_trace(workspace):
    first = load(workspace)

    def interrupted():
        yield pl.concat([FRAME] * ROW_GROUP)  # beyond one row group: some of it is on disk already
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_parts(workspace, interrupted())
    assert workspace.history("organisations") == (first,)
    assert [path.name for path in (workspace.path / "tables" / "organisations").iterdir()] == [first.path.name]
    assert not (workspace.path / "quarantine").exists()
    assert not (workspace.path / ".tmp").exists()


def test_a_reader_keeps_its_snapshot_while_others_are_committed(workspace):
    load(workspace)
    before = workspace.scan("organisations")
    pinned = workspace.snapshot("organisations")
    writer = threading.Thread(target=load, args=(Workspace.open(workspace.path), FRAME.tail(1)))
    writer.start()
    for _ in range(20):
        assert_frame_equal(before.collect(), FRAME)
    writer.join()
    assert_frame_equal(before.collect(), FRAME)
    assert_frame_equal(workspace.scan("organisations").collect(), FRAME.tail(1))
    assert_frame_equal(workspace.scan("organisations", pinned.id).collect(), FRAME)


def test_revert_goes_back_step_by_step_and_forward_by_name(workspace):
    a, b = load(workspace), load(workspace, FRAME.tail(1))
    assert workspace.revert("organisations") == a
    assert workspace.snapshot("organisations") == a
    with pytest.raises(UsageError) as caught:
        workspace.revert("organisations")
    assert code_of(caught) == "JQ-STORE-008"
    c = load(workspace, FRAME.head(1))
    assert c.previous == a.id  # b had been put away
    assert workspace.revert("organisations") == a
    assert workspace.revert("organisations", to=b.id) == b
    assert workspace.history("organisations") == (c, b, a)
    assert {path.name for path in (workspace.path / "tables" / "organisations").iterdir()} == {
        s.path.name for s in (a, b, c)
    }


def test_the_same_rows_loaded_again_are_one_snapshot_and_two_loads(workspace):
    a = load(workspace)
    b = load(workspace, FRAME.tail(1))
    with workspace.new_snapshot("organisations", as_of="2025-06-30", source="again") as writer:
        writer.write(FRAME.tail(1))
        writer.quarantine(FRAME)
    again = writer.snapshot
    assert (again.id, again.load, again.previous) == (b.id, 3, a.id)
    assert len({one.path for one in workspace.history("organisations")}) == 2
    assert workspace.scan_quarantine(again).collect().height == 2
    assert workspace.scan_quarantine(b) is None
    assert workspace.revert("organisations") == a


def test_loading_again_mends_a_damaged_file(workspace):
    snapshot = load(workspace)
    snapshot.path.write_bytes(b"PAR1")
    assert [damage.problem for damage in workspace.verify()] == ["changed"]
    load(workspace)
    assert workspace.verify() == ()


def test_writes_may_be_nested(workspace):
    with workspace.writing():
        with workspace.new_snapshot("organisations", as_of="2025-06-30", source="a") as outer:
            outer.write(FRAME)
            load(workspace, FRAME.tail(1), table="sites")
            load(workspace, FRAME.head(1))
            workspace.put_result("test", Lineage("m", "1"), {"t": FRAME}, {})
            outer.write(FRAME)
        with pytest.raises(UsageError):
            load(workspace, table="nonsense")
    assert [one.rows for one in workspace.tables()] == [4, 1]
    assert outer.snapshot.previous == workspace.history("organisations")[1].id
    assert workspace.verify() == ()


def test_threads_take_turns(workspace):
    """More threads than cores, one Workspace object: every load counts."""
    threads = [threading.Thread(target=load, args=(workspace, pl.DataFrame({"n": [i]}))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(
        workspace.scan("organisations", one.id).collect().item() for one in workspace.history("organisations")
    ) == [*range(8)]
    with workspace.writing():
        caught = []

        def attempt():
            try:
                with workspace.writing(wait_seconds=0):
                    pass
            except WorkspaceError as error:
                caught.append((error.code, error.fields["pid"]))

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        assert caught == [("JQ-STORE-005", str(os.getpid()))]


@pytest.mark.parametrize(
    ("as_of", "code"), [("30.6.2025", "JQ-STORE-013"), ("", "JQ-STORE-013"), ("2025-02-30", "JQ-STORE-013")]
)
def test_the_as_of_date_is_a_date(workspace, as_of, code):
    with pytest.raises(UsageError) as caught:
        load(workspace, as_of=as_of)
    assert code_of(caught) == code


def test_a_date_may_come_with_a_time(workspace):
    assert load(workspace, as_of=datetime(2025, 6, 30, 23, 59)).as_of == date(2025, 6, 30)  # noqa: DTZ001


@pytest.mark.parametrize(
    "name", ["../organisations", "organisations/../../x", "/etc", "", "nonsense", "organisations\0"]
)
def test_no_table_name_leaves_its_folder(workspace, name):
    load(workspace)
    for attempt in (
        workspace.snapshot,
        workspace.scan,
        workspace.history,
        workspace.revert,
        lambda name: load(workspace, table=name),
    ):
        with pytest.raises(UsageError) as caught:
            attempt(name)
        assert code_of(caught) == "JQ-USE-001"


@pytest.mark.parametrize("id", ["../../manifest", "2025-06-30-000000000000", "x"])
def test_no_snapshot_id_leaves_its_folder(workspace, id):  # noqa: A002
    known = load(workspace)
    for attempt in (lambda: workspace.scan("organisations", id), lambda: workspace.revert("organisations", to=id)):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert (code_of(caught), caught.value.fields["known"]) == ("JQ-STORE-007", known.id)


def test_an_empty_table_says_how_to_load(workspace):
    with pytest.raises(WorkspaceError) as caught:
        workspace.scan("sites")
    assert code_of(caught) == "JQ-STORE-006"
    assert "jiqun load FILE --as sites" in str(caught.value)


def test_odd_folder_and_file_names_are_only_names(tmp_path, clock):
    workspace = Workspace.init(tmp_path / "年=2025 [x] *?" / "{ws}", clock=clock)
    snapshot = load(workspace, source=os.fsdecode(b"caf\xe9.csv"))
    assert snapshot.source == "caf\\udce9.csv"
    assert_frame_equal(workspace.scan("organisations").collect(), FRAME)
    result = workspace.put_result("test", Lineage("m", "1"), {"t": FRAME}, {})
    assert_frame_equal(result.table("t"), FRAME)


# Damage and full disks


def test_verify_finds_one_changed_byte_anywhere(workspace):
    load(workspace)
    workspace.put_result("test", Lineage("m", "1"), {"t": FRAME}, {"a": 1})
    reported = []
    assert workspace.verify(progress=lambda *step: reported.append(step)) == ()
    assert reported[-1][1] == reported[-1][2] > 0
    files = sorted(workspace.manifest().files())
    assert len(files) == 3
    for name in files:
        path = workspace.path / name
        good = path.read_bytes()
        for position in range(0, len(good), 37):
            path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
            assert [(damage.file, damage.problem) for damage in workspace.verify()] == [(name, "changed")]
        path.write_bytes(good)
    path.unlink()
    assert [(damage.file, damage.problem) for damage in workspace.verify()] == [(name, "missing")]
    path.mkdir()
    assert [(damage.file, damage.problem) for damage in workspace.verify()] == [(name, "unreadable")]


def test_a_missing_file_is_said_when_asked_for(workspace):
    load(workspace).path.unlink()
    with pytest.raises(WorkspaceError) as caught:
        workspace.scan("organisations")
    assert code_of(caught) == "JQ-STORE-016"


def test_a_file_that_may_not_grow_is_refused_with_the_reason(workspace):
    """The kernel refuses a write in the middle of a load, as a full disk would."""
    first = load(workspace)
    numbers = pl.DataFrame({"n": pl.int_range(ROW_GROUP, eager=True).hash(1)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, before[1]))
    try:
        with pytest.raises(WorkspaceError) as caught:
            load_parts(workspace, [numbers] * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code_of(caught) == "JQ-STORE-010"
    assert caught.value.fields["reason"] == os.strerror(errno.EFBIG)
    assert workspace.history("organisations") == (first,)
    assert not (workspace.path / ".tmp").exists()
    load(workspace, numbers)
    assert workspace.verify() == ()


def test_a_disk_that_fails_at_any_flush_or_rename_leaves_the_state_before(tmp_path, monkeypatch, clock):
    """Every single call fails once with a full disk: a coded error, the old state, and the next try works."""
    for step in count(1):
        workspace = Workspace.init(tmp_path / f"ws{step}", clock=clock)
        old = load(workspace)
        calls = count(1)

        def failing(call, calls=calls, step=step):
            def wrapper(*arguments):
                if next(calls) == step:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return call(*arguments)

            return wrapper

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(os.fsync))
            patch.setattr(os, "replace", failing(os.replace))
            try:
                with workspace.new_snapshot("organisations", as_of="2025-07-01", source="b") as writer:
                    writer.write(FRAME.tail(1))
                    writer.quarantine(FRAME)
                workspace.put_result("test", Lineage("m", "1"), {"t": FRAME}, {})
                code = None
            except WorkspaceError as error:
                code = error.code
        assert code in {None, "JQ-STORE-010"}
        assert workspace.verify() == ()
        assert workspace.snapshot("organisations", old.id) == old
        assert not (workspace.path / ".tmp").exists()
        load(workspace, FRAME.tail(1), as_of="2025-07-01")
        assert workspace.snapshot("organisations").rows == 1
        assert workspace.verify() == ()
        if code is None:
            break
    assert step > 10


def test_a_folder_that_may_not_be_written_is_said(workspace, monkeypatch):
    def denied(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(workspace.path / ".lock"))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(WorkspaceError) as caught:
        load(workspace)
    assert code_of(caught) == "JQ-STORE-010"
    assert str(Path(".lock")) in str(caught.value)


def test_the_lock_is_no_way_to_another_file(workspace, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (workspace.path / ".lock").unlink(missing_ok=True)
    (workspace.path / ".lock").symlink_to(precious)
    with pytest.raises(WorkspaceError) as error, workspace.writing():
        pass
    assert code_of(error) == "JQ-STORE-010"
    assert precious.read_text() == "kept"


def test_where_nothing_may_be_written_the_cache_is_elsewhere_and_goes_with_the_workspace(workspace, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "mkdir", refuse)
    reader = Workspace.open(workspace.path)
    cache = reader.cache
    assert cache == reader.cache
    assert not cache.is_relative_to(workspace.path)
    (cache / "file").write_text("x")
    del reader
    gc.collect()
    assert not cache.exists()
