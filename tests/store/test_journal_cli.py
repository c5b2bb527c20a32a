"""Commands of journal and search, and `jiqun verify` of bundles and of the journal."""

import base64
import json
import sqlite3
import subprocess
import sys

import pytest

from jiqun.core.actor import LOCAL
from jiqun.store import Workspace


@pytest.fixture
def folder(tmp_path, monkeypatch):
    workspace = Workspace.init(tmp_path / "ws")
    for number in range(7):
        workspace.database.command(
            LOCAL, f"key {number}", "test.act", lambda tx, number=number: {"n": number}, subject=f"s{number % 2}"
        )
    workspace.close()
    monkeypatch.chdir(workspace.path)
    return workspace.path


def test_from_a_command_to_a_verified_bundle(run, folder, monkeypatch):
    status, out, _ = run("journal", "head", "--format", "json")
    assert status == 0
    (head,) = json.loads(out)
    assert head["size"] == 7
    (key,) = json.loads(run("journal", "key", "--format", "json")[1])
    assert key["sha256"] == head["key"]
    log = json.loads(run("journal", "log", "--subject", "s1", "--format", "json")[1])
    assert [entry["leaf"] for entry in log] == [6, 4, 2]

    status, out, said = run("journal", "proof", "1", "--subject", "s1", "--since", "7", "--open", "-o", "p.json")
    assert (status, out) == (0, "")
    assert "proofs of 4 leaves" in said
    for pinned in ((), ("--key", "keys/journal.pub"), ("--key", key["key"])):
        status, out, _ = run("verify", "p.json", *pinned)
        assert status == 0
        assert "Leaf 5 (" in out
        assert ("The key is the one you named" in out) == bool(pinned)

    status, out, said = run("verify", "p.json", "--key", base64.b64encode(bytes(32)).decode(), "--format", "json")
    assert status == 1
    assert "JQ-JOURNAL-006" in said
    assert [row["result"] for row in json.loads(out)].count("failed") == 1
    (folder / "p.json").write_text((folder / "p.json").read_text().replace("test.act", "test.pay", 1))
    monkeypatch.setenv("JIQUN_LANG", "zh")
    status, out, said = run("verify", "p.json")
    assert status == 1
    assert "不在树中" in out
    assert "1 项未能证明" in said


def test_what_cannot_be_verified_is_told(run, folder):
    status, _, said = run("verify", "none.json")
    assert (status, "JQ-JOURNAL-005" in said) == (1, True)
    (folder / "odd.json").write_text("{")
    assert "JQ-JOURNAL-005" in run("verify", "odd.json")[2]
    (folder / "odd.json").write_text("[]")
    assert "JQ-JOURNAL-006" in run("verify", "odd.json")[2]
    status, _, said = run("verify", "odd.json", "--key", "nonsense")
    assert (status, "JQ-JOURNAL-007" in said) == (2, True)
    assert "JQ-JOURNAL-003" in run("journal", "proof", "99")[2]


def test_verify_audits_the_journal_of_a_workspace(run, folder):
    run("journal", "head")
    status, out, _ = run("verify", "--format", "json")
    assert (status, json.loads(out)) == (0, [])
    with sqlite3.connect(folder / "jiqun.db") as connection:
        connection.execute("UPDATE leaves SET subject = 'x' WHERE id = 3")
    connection.close()
    status, out, said = run("verify", "--format", "json")
    assert (status, json.loads(out)) == (1, [{"file": "journal/leaves/3", "problem": "changed"}])
    assert "JQ-JOURNAL-008" in said


def test_verify_makes_no_database_where_there_is_none(run, tmp_path):
    workspace = Workspace.init(tmp_path / "ws")
    assert run("verify", "--workspace", workspace.path)[0] == 0
    assert not (workspace.path / "jiqun.db").exists()
    status, _, said = run("journal", "head", "--workspace", workspace.path)
    assert (status, "JQ-JOURNAL-009" in said) == (1, True)


def test_the_checker_that_is_handed_out_checks(run, folder, tmp_path):
    run("journal", "head")
    run("journal", "proof", "1", "-o", "p.json")
    checker = tmp_path / "proof.py"
    checker.write_text(run("journal", "checker")[1])
    done = subprocess.run(
        [sys.executable, checker, folder / "p.json", "--language", "en"], capture_output=True, text=True, check=True
    )
    assert "Leaf 0 (" in done.stdout


def test_search_builds_its_index_and_finds(run, folder):
    status, out, said = run("search", "软件", "--kind", "class", "--format", "json")
    assert status == 0
    found = json.loads(out)
    assert found
    assert all("软件" in hit["title_zh"] for hit in found)
    assert said.startswith(f"{len(found)} found")
    status, out, said = run("search", "没有这样的企业", "--format", "json")
    assert (status, json.loads(out), said) == (0, [], "0 found\n")
    assert "JQ-SEARCH-001" in run("search", "x" * 300)[2]
