import errno
import io
import os
import random
import tarfile
import threading
from itertools import count

import polars as pl
import pytest

from jiqun.core.errors import InputError, JiqunError, WorkspaceError
from jiqun.core.lineage import Lineage
from jiqun.store import Workspace, backup, restore
from jiqun.store.manifest import KindState, Manifest, ResultEntry, TableState

FRAME = pl.DataFrame({"name": ["甲", "乙"], "n": [1, 2]})


@pytest.fixture
def full(workspace):
    for number in range(3):
        with workspace.new_snapshot("organisations", as_of="2025-06-30", source="a.csv") as writer:
            writer.write(FRAME.with_columns(n=number))
            writer.quarantine(FRAME)
    workspace.put_result("test", Lineage("m", "1"), {"t": FRAME}, {"a": 1})
    (workspace.path / "jiqun.toml").write_text('language = "zh"\n')
    (workspace.cache / "made-again").write_text("x")
    return workspace


def contents(workspace):
    return {
        str(path.relative_to(workspace.path)): path.read_bytes()
        for path in workspace.path.rglob("*")
        if path.is_file() and path.name != ".lock" and "cache" not in path.parts
    }


def members(path):
    with tarfile.open(path) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def rewrite(path, changed):
    with tarfile.open(path, "w") as tar:
        for member, content in changed:
            tar.addfile(member, io.BytesIO(content))


def special(name, kind=tarfile.REGTYPE, link="", content=b""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, len(content)
    return member, content


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz", "b.tgz", "备份"])
def test_a_restored_workspace_is_the_same(full, tmp_path, name):
    reported = []
    manifest = backup(full, tmp_path / name, progress=lambda *step: reported.append(step))
    assert manifest == full.manifest()
    assert reported[-1][1] == reported[-1][2] > 0
    again = restore(tmp_path / name, tmp_path / "new" / "ws")
    assert contents(again) == contents(full)
    assert again.verify() == ()
    assert again.settings["language"].value == "en"  # the environment of these tests
    assert (tmp_path / name).read_bytes()[:2] == b"\x1f\x8b" or not name.endswith("gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["new", "ws", name])


def test_an_empty_workspace_can_be_backed_up(workspace, tmp_path):
    backup(workspace, tmp_path / "b.tar")
    assert contents(restore(tmp_path / "b.tar", tmp_path / "again")) == contents(workspace)


def test_backup_replaces_nothing_and_leaves_nothing_behind(full, tmp_path):
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(WorkspaceError) as caught:
        backup(full, tmp_path / "b.tar")
    assert caught.value.code == "JQ-STORE-020"
    assert (tmp_path / "b.tar").read_text() == "mine"
    with pytest.raises(WorkspaceError) as caught:
        backup(full, tmp_path / "absent" / "b.tar")
    assert caught.value.code == "JQ-STORE-010"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:9] + b"!" + b[10:], None])
def test_a_damaged_file_is_not_backed_up_silently(full, tmp_path, damage):
    path = full.snapshot("organisations").path
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    with pytest.raises(WorkspaceError) as caught:
        backup(full, tmp_path / "b.tar")
    assert (caught.value.code, caught.value.fields["path"]) == ("JQ-STORE-016", path)
    assert [path.name for path in tmp_path.iterdir()] == ["ws"]


def test_backups_made_while_a_writer_writes_are_moments_of_it(workspace, tmp_path):
    """Load n and result n follow each other; every backup must hold n loads and n or n - 1 results."""
    stop = threading.Event()

    def write():
        writing = Workspace.open(workspace.path)
        for number in range(10_000):
            with writing.new_snapshot("organisations", as_of="2025-06-30", source=str(number)) as writer:
                writer.write(pl.DataFrame({"n": [number] * 1000}))
            writing.put_result("test", Lineage("m", "1", {"n": number}), {"t": FRAME}, {"n": number})
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for number in range(8):
            backup(workspace, tmp_path / f"{number}.tar")
            restored = restore(tmp_path / f"{number}.tar", tmp_path / f"again{number}")
            assert restored.verify() == ()
            loads, results = restored.history("organisations"), restored.results("test")
            assert len(results) in {len(loads) - 1, len(loads)}
            assert [int(load.source) for load in loads] == [*reversed(range(len(loads)))]
            sizes.append(len(loads))
            while len(workspace.history("organisations")) <= sizes[-1]:
                assert writer.is_alive()
    finally:
        stop.set()
        writer.join()
    assert sizes == sorted(set(sizes))  # it did write in between


def test_restore_refuses_a_folder_that_holds_something(full, tmp_path):
    backup(full, tmp_path / "b.tar")
    before = contents(full)
    with pytest.raises(WorkspaceError) as caught:
        restore(tmp_path / "b.tar", full.path)
    assert caught.value.code == "JQ-STORE-002"
    assert contents(full) == before


def refused(archive, target) -> str:
    with pytest.raises(JiqunError) as caught:
        restore(archive, target)
    caught.value.render("zh")
    assert not target.exists() or not list(target.iterdir())
    return caught.value.code


@pytest.mark.parametrize(
    "member",
    [
        special("../outside"),
        special("/tmp/outside"),  # noqa: S108  # must not be made
        special("tables/../../outside"),
        special("tables/organisations/extra.parquet", content=b"x"),
        special("jiqun.toml/x"),
        special("outside", tarfile.SYMTYPE, "/etc/passwd"),
        special("tables", tarfile.SYMTYPE, "/etc"),
        special("jiqun.toml", tarfile.LNKTYPE, "/etc/passwd"),
        special("jiqun.toml", tarfile.SYMTYPE, "/etc/passwd"),
        special("jiqun.toml", tarfile.FIFOTYPE),
        special("jiqun.toml", tarfile.CHRTYPE),
        special("jiqun.toml", tarfile.BLKTYPE),
        special("jiqun.toml", tarfile.DIRTYPE),
        special("jiqun.toml", tarfile.GNUTYPE_SPARSE),
    ],
)
def test_restore_refuses_members_that_do_not_belong(full, tmp_path, member):
    backup(full, tmp_path / "b.tar")
    good = members(tmp_path / "b.tar")
    kept = [one for one in good if one[0].name != member[0].name]
    for position in (1, len(kept)):
        changed = [*kept[:position], member, *kept[position:]]
        rewrite(tmp_path / "bad.tar", changed)
        assert refused(tmp_path / "bad.tar", tmp_path / "target") in {"JQ-STORE-018", "JQ-STORE-019"}
    assert {path.name for path in tmp_path.iterdir()} == {"ws", "b.tar", "bad.tar"}


def test_restore_refuses_members_that_are_changed_missing_twice_or_out_of_order(full, tmp_path):
    backup(full, tmp_path / "b.tar")
    good = members(tmp_path / "b.tar")
    bad, target = tmp_path / "bad.tar", tmp_path / "target"
    for i in range(len(good)):
        rewrite(bad, good[:i] + good[i + 1 :])
        assert refused(bad, target) == "JQ-STORE-018"
        rewrite(bad, [*good[: i + 1], *good[i:]])
        assert refused(bad, target) == "JQ-STORE-019"
    for i in range(1, len(good)):
        member, content = good[i]
        rewrite(bad, [*good[:i], (member, b"!" + content[1:]), *good[i + 1 :]])
        assert refused(bad, target) == "JQ-STORE-019"
        shorter = tarfile.TarInfo(member.name)
        shorter.size = len(content) - 1
        rewrite(bad, [*good[:i], (shorter, content[:-1]), *good[i + 1 :]])
        assert refused(bad, target) == "JQ-STORE-019"
    rewrite(bad, good[1:] + good[:1])
    assert refused(bad, target) == "JQ-STORE-018"
    rewrite(bad, [special("manifest.json", content=b"{}"), *good[1:]])
    assert refused(bad, target) == "JQ-STORE-004"
    rewrite(bad, good)
    assert contents(restore(bad, target)) == contents(full)


def test_a_forged_manifest_cannot_name_files_outside(full, tmp_path):
    """Its digest can be made right; its names still have to be names."""
    state = full.manifest()
    load = state.tables["organisations"].loads[0]
    stamp = load.file
    entry = ResultEntry("ab" * 32, load.created, {"result.json": stamp})
    for forged in (
        Manifest({"../../x": TableState(load.id, (load,))}),
        Manifest({}, {"..": KindState(entry.id, (entry,))}),
        Manifest({}, {"test": KindState("../x", (ResultEntry("../x", load.created, {"result.json": stamp}),))}),
        Manifest(
            {},
            {
                "test": KindState(
                    entry.id, (ResultEntry(entry.id, load.created, {"result.json": stamp, "../x.parquet": stamp}),)
                )
            },
        ),
        Manifest({}, {"test": KindState(entry.id, (ResultEntry(entry.id, load.created, {}),))}),
        Manifest({"organisations": TableState(load.id, (load, load))}),
        Manifest({"organisations": TableState("2025-06-30-000000000000", (load,))}),
    ):
        rewrite(tmp_path / "bad.tar", [special("manifest.json", content=forged.to_bytes()), special("jiqun.toml")])
        assert refused(tmp_path / "bad.tar", tmp_path / "target") == "JQ-STORE-004"


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
def test_archives_cut_off_or_with_changed_bytes_restore_whole_or_not_at_all(full, tmp_path, name):
    backup(full, tmp_path / name)
    good, target = (tmp_path / name).read_bytes(), tmp_path / "target"
    bad = tmp_path / f"bad-{name}"
    places = random.Random(7)  # places, not secrets
    whole = contents(full)
    for attempt in range(90):
        position = places.randrange(len(good))
        damaged = good[:position]
        if attempt % 3:
            damaged += bytes([good[position] ^ (1 << places.randrange(8))]) + good[position + 1 :]
        bad.write_bytes(damaged)
        try:
            restored = restore(bad, target)
        except JiqunError:
            assert not target.exists()
        else:  # padding or a date was hit
            assert {k: v for k, v in contents(restored).items() if k != "jiqun.toml"} == {
                k: v for k, v in whole.items() if k != "jiqun.toml"
            }
            target.rename(tmp_path / f"whole{attempt}")


def test_a_disk_that_fails_at_any_flush_or_rename_leaves_no_half_backup_and_no_half_workspace(
    full, tmp_path, monkeypatch
):
    archive, target, folder = tmp_path / "good.tar", tmp_path / "target", tmp_path / "backups"
    folder.mkdir()
    backup(full, archive)
    for work, made in ((lambda: backup(full, folder / "b.tar"), folder), (lambda: restore(archive, target), target)):
        for step in count(1):
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
                    work()
                    code = None
                except WorkspaceError as error:
                    code = error.code
            if code is None:
                break
            assert code == "JQ-STORE-010"
            # the last flush, of the folder's list of names, may fail when the backup has its name already
            if made == folder:
                assert {path.name for path in made.iterdir()} <= {"b.tar"}
                (folder / "b.tar").unlink(missing_ok=True)
            else:
                assert not made.exists()
        assert step > 2
    assert contents(Workspace.open(target)) == contents(full)
    assert contents(restore(folder / "b.tar", tmp_path / "again")) == contents(full)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1f\x8b", b"PK\x03\x04", b"\0" * 10_240])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "b").write_bytes(content)
    assert refused(tmp_path / "b", tmp_path / "target") == "JQ-STORE-018"


def test_an_archive_that_is_not_there_is_said(tmp_path):
    with pytest.raises(WorkspaceError) as caught:
        restore(tmp_path / "absent.tar", tmp_path / "target")
    assert caught.value.code == "JQ-STORE-010"
    assert "absent.tar" in str(caught.value)
    assert not (tmp_path / "target").exists()
    assert issubclass(InputError, JiqunError)
