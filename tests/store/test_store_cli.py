import json

import polars as pl
import pytest

from jiqun.store import Workspace
from jiqun.store.config import SETTINGS

FRAME = pl.DataFrame({"name": ["甲", "乙"]})


@pytest.fixture
def loaded(workspace, monkeypatch):
    for rows, source in ((FRAME, "a.csv"), (FRAME.head(1), "=b.csv")):
        with workspace.new_snapshot("organisations", as_of="2025-06-30", source=source) as writer:
            writer.write(rows)
    monkeypatch.chdir(workspace.path)
    return workspace


def test_from_an_empty_folder_to_a_restored_workspace(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "ws")[0] == 0
    (tmp_path / "ws" / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "ws" / "deep")
    assert run("tables", "--format", "json")[:2] == (0, "[]\n")
    assert run("backup", str(tmp_path / "b.tar"))[0] == 0
    assert run("restore", str(tmp_path / "b.tar"), str(tmp_path / "again"))[0] == 0
    assert run("verify", "-w", str(tmp_path / "again"))[0] == 0


def test_tables_history_and_revert(run, loaded):
    second, first = loaded.history("organisations")
    rows = json.loads(run("tables", "-f", "json")[1])
    assert [(row["table"], row["snapshot"], row["rows"], row["as_of"]) for row in rows] == [
        ("organisations", second.id, 1, "2025-06-30")
    ]
    code, out, _ = run("history", "organisations", "--format", "csv")
    assert code == 0
    shown = pl.read_csv(out.encode())
    assert shown["snapshot"].to_list() == [second.id, first.id]
    assert shown["current"].to_list() == [True, False]
    assert shown["source"].to_list() == ["'=b.csv", "a.csv"]
    assert run("revert", "organisations")[0] == 0
    assert json.loads(run("history", "organisations", "-f", "json")[1])[1]["current"] is True
    code, out, err = run("revert", "organisations")
    assert (code, out) == (2, "")
    assert err.startswith("JQ-STORE-008")
    assert run("revert", "organisations", "--to", second.id)[0] == 0
    assert loaded.snapshot("organisations") == second


def test_a_source_is_shown_as_it_is(run, loaded):
    with loaded.new_snapshot("links", as_of="2025-06-30", source="[red]a[/x] [1].csv") as writer:
        writer.write(FRAME)
    code, out, _ = run("history", "links")
    assert code == 0
    assert "[red]a[/x]" in "".join(out.split())


def test_verify_lists_the_damaged_file_and_fails(run, loaded):
    path = loaded.snapshot("organisations").path
    path.write_bytes(b"x")
    code, out, err = run("verify", "--format", "json")
    assert code == 1
    assert json.loads(out) == [{"file": str(path.relative_to(loaded.path)), "problem": "changed"}]
    assert err.startswith("JQ-STORE-017")


def test_which_workspace(run, workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("tables")
    assert (code, out) == (1, "")
    assert err.startswith("JQ-STORE-021")
    assert "jiqun init" in err
    assert run("tables", "-w", str(workspace.path))[0] == 0
    monkeypatch.setenv("JIQUN_WORKSPACE", str(workspace.path))
    assert run("tables")[0] == 0
    assert run("tables", "-w", str(tmp_path))[2].startswith("JQ-STORE-001")


def test_messages_follow_the_language_of_the_workspace_unless_the_environment_has_one(run, loaded, monkeypatch):
    (loaded.path / "jiqun.toml").write_text('language = "zh"')
    assert "not known" in run("history", "nonsense")[2]
    # set and removed through monkeypatch, which then also removes what the command sets
    monkeypatch.delenv("JIQUN_LANG")
    monkeypatch.setenv("LC_ALL", "C")
    assert "不认识" in run("history", "nonsense")[2]


def test_config_says_where_each_value_comes_from(run, loaded, monkeypatch):
    (loaded.path / "jiqun.toml").write_text("lock_wait_seconds = 1")
    monkeypatch.setenv("JIQUN_DATABASE_URL", "postgresql://me:geheim@db/x")
    code, out, _ = run("config", "--format", "json")
    assert code == 0
    found = {row["setting"]: (row["value"], row["from"]) for row in json.loads(out)}
    assert found.keys() == {setting.name for setting in SETTINGS}
    assert found["workspace"] == ("", "default")
    assert found["language"] == ("en", "environment")
    assert found["lock_wait_seconds"] == ("1.0", "jiqun.toml")
    assert found["database_url"] == ("***", "environment")  # it may hold a password
    monkeypatch.setenv("JIQUN_LANG", "zh")
    assert "等待" in run("config")[1]


@pytest.mark.parametrize("command", ["init", "tables", "history", "revert", "verify", "backup", "restore", "config"])
def test_help_has_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: jiqun {command}" in out


def test_a_lock_held_elsewhere_is_a_short_wait_and_a_plain_message(run, loaded, monkeypatch):
    monkeypatch.setenv("JIQUN_LOCK_WAIT_SECONDS", "0")
    with Workspace.open(loaded.path).writing():
        code, _, err = run("revert", "organisations")
    assert code == 1
    assert err.startswith("JQ-STORE-005")
