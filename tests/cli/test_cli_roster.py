"""`jiqun roster` end to end."""

from __future__ import annotations

import json
import shutil

import pytest

from jiqun.store import Workspace


@pytest.fixture
def workspace(tmp_path, places):
    """A workspace with a register of two firms."""
    opened = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, opened.cache, dirs_exist_ok=True)
    (tmp_path / "register.csv").write_text(
        "企业名称,城市,从业人数\n深圳雷柏科技股份有限公司,深圳,100\n浙江南都电源动力股份有限公司,杭州,200\n",
        encoding="utf-8",
    )
    (tmp_path / "roster.csv").write_text(
        "名称,城市,从业人数\n雷柏科技有限公司,深圳,120\n南都电源,,\n不在册公司,,3\n", encoding="utf-8"
    )
    return opened


def told(run, *arguments):
    status, out, err = run(*arguments, "--format", "json")
    assert status == 0, err
    return json.loads(out)


def test_match_review_decide_history_and_withdraw(run, workspace, tmp_path):
    w = ("-w", workspace.path)
    assert run("load", tmp_path / "register.csv", "--as", "organisations", "--as-of", "2024-01-01", *w)[0] == 0
    (made,) = told(
        run, "roster", "match", tmp_path / "roster.csv", "--name", "members", "--as-of", "2025-01-01", "--apply", *w
    )
    assert {key: made[key] for key in ("state", "matched", "review", "unmatched")} == {
        "state": "applied",
        "matched": 1,
        "review": 1,
        "unmatched": 1,
    }
    (waiting,) = told(run, "roster", "review", *w)
    assert (waiting["name"], waiting["organisation"]) == ("南都电源", "o0000002")
    status, decision, _ = run("roster", "decide", waiting["row"], "same", *w)
    assert status == 0
    assert told(run, "roster", "review", *w) == []
    assert run("roster", "undo", decision.strip(), *w)[0] == 0
    assert len(told(run, "roster", "review", *w)) == 1
    assert run("roster", "review", "--accept-above", "0.65", *w)[0] == 0
    assert told(run, "roster", "review", *w) == []
    (correction,) = told(run, "roster", "correct", "o0000001", "employees=130", "--reason", "call", *w)
    assert (correction["value"], correction["seen"]) == ("130", "100")
    assert run("load", tmp_path / "register.csv", "--as", "organisations", "--as-of", "2025-06-01", *w)[0] == 0
    said = told(run, "roster", "history", "o0000001", "--field", "employees", *w)
    assert [(one["value"], one["kind"], one["shown"]) for one in said] == [
        ("130", "correction", True),
        ("120", "roster", False),
        ("100", "register", False),
    ]
    assert told(run, "roster", "list", *w)[0]["state"] == "applied"
    assert run("roster", "withdraw", *w)[0] == 0
    assert told(run, "roster", "correct", "o0000001", "--take-back", *w) == []
    assert run("roster", "decide", 99, "same", *w)[0] == 2
    assert run("roster", "decide", 1, "perhaps", *w)[0] == 2
    assert run("roster", "correct", "o0000001", "employees", *w)[0] == 2


@pytest.fixture
def loaded(run, workspace, tmp_path):
    w = ("-w", workspace.path)
    assert run("load", tmp_path / "register.csv", "--as", "organisations", "--as-of", "2024-01-01", *w)[0] == 0
    return w


def test_rows_refused_or_repeated_are_written_out(run, loaded, tmp_path):
    (tmp_path / "bad.csv").write_text(
        "名称,城市,从业人数\n雷柏科技有限公司,深圳,120\n雷柏科技有限公司,深圳,120\n,深圳,5\n", encoding="utf-8"
    )
    out = tmp_path / "findings.csv"
    (made,) = told(run, "roster", "match", tmp_path / "bad.csv", "--quarantine", out, *loaded)
    assert (made["rows"], made["repeated"], made["refused"]) == (1, 1, 1)
    written = out.read_text(encoding="utf-8-sig")
    assert written.count("JQ-DATA-") >= 2


def test_what_is_wrong_is_said_in_words_that_fit(run, loaded, tmp_path):
    told(run, "roster", "match", tmp_path / "roster.csv", "--name", "members", *loaded)
    status, _, err = run("roster", "decide", 2, "different", *loaded)
    assert status != 0
    assert "JQ-ROSTER-013" in err
    status, _, err = run("roster", "correct", "o0000001", "employees=many", *loaded)
    assert status != 0
    assert "更正 correction" in err
    assert "statement" not in err
