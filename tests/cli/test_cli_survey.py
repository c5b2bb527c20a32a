"""`jiqun survey` from a template to the published table."""

import csv
import io
import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from jiqun.core.actor import LOCAL
from jiqun.core.lineage import Lineage
from jiqun.intake import desk
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.survey import records, respond
from jiqun.survey.questions import templates


@pytest.fixture
def workspace(tmp_path, monkeypatch, places):
    made = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    with made.new_snapshot("organisations", as_of="2025-06-30", source="firms.csv") as writer:
        writer.write(
            pl.DataFrame({"id": ["o0000001", "o0000002"], "name": ["一号公司", "=2+2"], "employees": [10, None]})
        )
    monkeypatch.setenv("JIQUN_WORKSPACE", str(made.path))
    yield made
    made.close()


def test_a_round_on_the_command_line(run, workspace, tmp_path):
    file, closes = tmp_path / "figures.toml", (datetime.now(UTC) + timedelta(days=3)).date()
    assert run("survey", "template", "quarterly-figures", "-o", file)[0] == 0
    status, survey, _ = run(
        "survey", "new", file, "--year", 2025, "--quarter", 3, "--closes", closes, "--roster", "all"
    )
    assert status == 0
    survey = survey.strip()
    assert run("survey", "open", survey)[0] == 0
    _, out, _ = run("survey", "links", survey)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["name"] for row in rows] == ["'=2+2", "一号公司"]
    who = respond.through_link(workspace, rows[1]["link"].rpartition("/")[2])
    given = {"revenue": "350", "employees": "12"}
    assert respond.save(workspace, who, given, base=0, submit=True, key=new_key()).submitted
    assert "'=2+2" in run("survey", "status", survey, "--silent", "-f", "csv")[1]
    assert run("survey", "publish", survey)[0] == 2
    assert run("survey", "lock", survey)[0] == 0
    assert run("survey", "publish", survey)[0] == 0
    assert workspace.scan("indicators").collect().height == 2
    assert run("survey", "export", survey, "-o", tmp_path / "answers.csv")[0] == 0
    assert "3500000.0" in (tmp_path / "answers.csv").read_text(encoding="utf-8-sig")
    (listed,) = csv.DictReader(io.StringIO(run("survey", "list", "-f", "csv")[1]))
    assert (listed["state"], listed["expected"], listed["answered"], listed["silent"]) == ("published", "2", "1", "1")


@pytest.mark.parametrize("name", ["co-patents", "shareholders", "tenders"])
@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_headers_of_templates_of_links_come_back_recognised(
    run, workspace, tmp_path, monkeypatch, name, suffix, language
):
    monkeypatch.setenv("JIQUN_LANG", language)
    path = tmp_path / f"links{suffix}"
    assert run("survey", "template", name, "-o", path)[0] == 0
    assert run("survey", "template", name, "-o", path)[0] == 2
    header = (
        pl.read_excel(path).columns if suffix == ".xlsx" else path.read_text(encoding="utf-8-sig").strip().split(",")
    )
    kinds = {"co-patents": "co-invention", "shareholders": "investment", "tenders": "supply"}
    filled = tmp_path / "filled.csv"
    filled.write_text(",".join(header) + f"\n甲,乙,{kinds[name]},3,2023-05-18,CN1\n", encoding="utf-8")
    desk.load(LOCAL, workspace, filled, "links")
    row = workspace.scan("links").collect().row(0, named=True)
    assert (row["source"], row["target"], row["kind"], row["weight"]) == ("甲", "乙", kinds[name], 3.0)
    assert str(row["since"]) == "2023-05-18"
    assert row["evidence"] == "CN1"


@pytest.mark.parametrize(
    "arguments",
    [
        ("template", "nothing"),
        ("open", "svy_none"),
        ("publish", "svy_none"),
        ("new", "absent.toml", "--year", 2025, "--closes", "2030-01-01"),
    ],
)
def test_what_is_not_there_is_told(run, workspace, arguments):
    status, out, err = run("survey", *arguments)
    assert status in {1, 2}
    assert out == ""
    assert "JQ-SURVEY-" in err


def test_the_members_of_every_cluster_are_asked_the_shipped_questions(run, workspace, tmp_path):
    file, closes = tmp_path / "ask.toml", (datetime.now(UTC) + timedelta(days=3)).date()
    assert run("survey", "template", "cluster-questionnaire", "-o", file)[0] == 0
    status, survey, _ = run("survey", "new", file, "--year", 2024, "--closes", closes, "--roster", "clusters")
    assert status == 0
    made = records.find(workspace, survey.strip())
    assert (made.roster.scope, made.roster.cluster, made.quarter) == ("cluster", "", None)
    assert made.questions == templates()["cluster-questionnaire"].question
    status, _, err = run("survey", "open", survey.strip())
    assert (status, "JQ-SURVEY-008" in err) == (1, True)  # no search found clusters yet
    members = pl.DataFrame({"cluster_id": ["c1", "c2"], "id": ["o0000001", "o0000002"]})
    workspace.put_result("clusters", Lineage("made up", "1"), {"members": members}, {})
    assert run("survey", "open", survey.strip())[0] == 0
    assert {one.organisation for one in records.roster(workspace, made.id)} == set(members["id"])
