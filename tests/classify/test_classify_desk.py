"""Samples, labels of two people, training as a job, the choice, and what the atlas makes of it."""

from __future__ import annotations

import json

import polars as pl
import pytest
from classify_samples import CORE, firms
from typer.testing import CliRunner

from jiqun.atlas.classes import class_of, classified, reader, reader_of, used_text
from jiqun.classify import desk
from jiqun.classify.desk import HANDLERS
from jiqun.classify.documents import quality_document
from jiqun.cli.app import assembled
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.store import Workspace
from jiqun.store.worker import work

ANNA, BEN, CLEO = (Actor(name, frozenset({"analyst"})) for name in ("acc_anna", "acc_ben", "acc_cleo"))
MEMBER = Actor("acc_m", frozenset({"member"}), organisation="o1")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    made = Workspace.init(tmp_path / "ws")
    with made.new_snapshot("organisations", as_of="2025-01-01", source="synthetic firms") as writer:
        writer.write(firms(300))
    yield made
    made.close()


def truth(text: str) -> str:
    return "01" if any(word in text for word in CORE) else "none"


@pytest.fixture
def sample(workspace):
    return desk.draw_sample(ANNA, workspace, kind="main_business", size=120, seed=1, key="draw-0001")


def label_all(workspace, sample, *, wrong: int = 0) -> None:
    texts = {item.item: item.text for item in desk.sample_items(ANNA, workspace, sample.id)}
    first = {item: truth(text) for item, text in texts.items()}
    second = {item: ("unsure" if item <= wrong else label) for item, label in first.items()}
    desk.give_labels(ANNA, workspace, sample.id, first, hand=None, key="label-anna")
    desk.give_labels(BEN, workspace, sample.id, second, hand=None, key="label-ben1")


def test_a_draw_is_kept_with_its_weights_and_made_once(workspace, sample) -> None:
    again = desk.draw_sample(ANNA, workspace, kind="main_business", size=120, seed=1, key="draw-0001")
    assert again == sample
    found = desk.sample_items(ANNA, workspace, sample.id)
    assert [item.item for item in found] == list(range(1, 121))
    assert sum(item.weight for item in found) == pytest.approx(300)
    assert sum(stratum.firms for stratum in sample.strata) == 300
    assert [one.id for one in desk.samples(ANNA, workspace)] == [sample.id]


def test_annotators_do_not_see_each_other_until_they_are_through(workspace, sample) -> None:
    desk.give_labels(ANNA, workspace, sample.id, {1: "01", 2: "none"}, hand=None, key="one-anna")
    desk.give_labels(BEN, workspace, sample.id, {1: "none"}, hand=None, key="one-ben1")
    seen = desk.sample_items(BEN, workspace, sample.id)
    assert (seen[0].first, seen[0].second) == (None, "none")
    with pytest.raises(UsageError, match="JQ-CLASSIFY-004"):
        desk.give_labels(CLEO, workspace, sample.id, {1: "01"}, hand=None, key="one-cleo")
    with pytest.raises(PermissionDeniedError, match="JQ-CLASSIFY-010"):
        desk.give_labels(ANNA, workspace, sample.id, {1: "01"}, hand="second", key="two-anna")
    label_all(workspace, sample)
    assert all(item.first for item in desk.sample_items(BEN, workspace, sample.id))


def test_who_may_not_is_refused(workspace, sample) -> None:
    calls = [
        lambda: desk.draw_sample(MEMBER, workspace, kind="name", size=20, seed=1, key="k-member"),
        lambda: desk.sample_items(MEMBER, workspace, sample.id),
        lambda: desk.give_labels(MEMBER, workspace, sample.id, {1: "01"}, hand=None, key="k-member"),
        lambda: desk.start_training(MEMBER, workspace, kind="name", seed=1, key="k-member"),
        lambda: desk.choose(MEMBER, workspace, kind="name", model=False, key="k-member"),
        lambda: desk.sheet(MEMBER, workspace, sample.id, "first"),
    ]
    for call in calls:
        with pytest.raises(PermissionDeniedError, match="JQ-USE-002"):
            call()


def test_wrong_samples_items_and_sizes_are_refused(workspace, sample) -> None:
    with pytest.raises(UsageError, match="JQ-CLASSIFY-001"):
        desk.sample_items(ANNA, workspace, "smp_x")
    with pytest.raises(UsageError, match="JQ-CLASSIFY-003"):
        desk.give_labels(ANNA, workspace, sample.id, {121: "01"}, hand=None, key="k-wrong1")
    with pytest.raises(UsageError, match="JQ-CLASSIFY-005"):
        desk.settle(ANNA, workspace, sample.id, {1: "01"}, key="k-wrong2")
    with pytest.raises(UsageError, match="JQ-CLASSIFY-011"):
        desk.draw_sample(ANNA, workspace, kind="name", size=5, seed=1, key="k-wrong3")
    with pytest.raises(InputError, match="JQ-CLASSIFY-002"):
        desk.draw_sample(ANNA, workspace, kind="scope", size=20, seed=1, key="k-wrong4")
    with pytest.raises(UsageError, match="JQ-CLASSIFY-009"):
        desk.choose(ANNA, workspace, kind="scope", model=True, key="k-wrong5")
    with pytest.raises(InputError, match="JQ-CLASSIFY-006"):
        desk.start_training(ANNA, workspace, kind="scope", seed=1, key="k-wrong6")


def test_disagreements_are_settled_and_a_changed_label_opens_them_again(workspace, sample) -> None:
    label_all(workspace, sample, wrong=10)
    found = desk.sample_items(ANNA, workspace, sample.id)
    told = desk.agree(found)
    assert (told.items, told.same) == (120, 110)
    assert 0.5 < told.kappa < 1
    assert found[0].disputed
    assert found[0].final is None
    assert desk.settle(CLEO, workspace, sample.id, {1: "02", 2: "none"}, key="settle-1") == 2
    assert desk.sample_items(ANNA, workspace, sample.id)[0].final == "02"
    desk.give_labels(BEN, workspace, sample.id, {1: "03"}, hand=None, key="again-ben")
    assert desk.sample_items(ANNA, workspace, sample.id)[0].final is None
    assert desk.give_labels(BEN, workspace, sample.id, {1: "03"}, hand=None, key="thrice-b") == 0


def test_sheets_go_out_and_come_back(workspace, sample) -> None:
    sheet = desk.sheet(LOCAL, workspace, sample.id, "first")
    rows = pl.read_csv(sheet.encode(), infer_schema=False)
    assert rows.columns == ["item", "text", "label"]
    filled = rows.with_columns(
        label=pl.when(pl.col("item") == "1").then(pl.lit("1")).when(pl.col("item") == "2").then(pl.lit(" NONE "))
    )
    given = desk.read_sheet("\ufeff" + filled.write_csv())
    assert given == {1: "01", 2: "none"}
    with pytest.raises(InputError, match="JQ-CLASSIFY-007"):
        desk.read_sheet("item,label\n1,maybe\n")
    with pytest.raises(InputError, match="JQ-CLASSIFY-008"):
        desk.read_sheet("number,label\n1,01\n")


def test_training_is_a_job_and_the_choice_changes_what_the_atlas_reads_by(workspace, sample) -> None:
    label_all(workspace, sample, wrong=3)
    job = desk.start_training(ANNA, workspace, kind="main_business", seed=1, key="train-001")
    assert work(workspace, HANDLERS, once=True) == 1
    done = workspace.database.jobs.find(job)
    assert done.state == "done", done.reason
    stored = desk.quality(ANNA, workspace, "main_business")
    assert stored.id == done.result["result"]
    assert stored.values["quality"]["texts"] == 117
    assert stored.tables == ("weights", "sigmoid")
    assert not list(stored.path.glob("*.pkl"))
    assert desk.quality(ANNA, workspace, "scope") is None

    document = quality_document(stored)
    assert "F1" in document.subtitle.en
    assert len(document.blocks) == 4

    rows = workspace.scan("organisations").collect()
    before = reader(workspace, "auto")
    desk.choose(ANNA, workspace, kind="main_business", model=True, key="choose-01")
    after = reader(workspace, "auto")
    assert before.digest != after.digest
    found = classified(rows, after)
    assert set(found["evidence"].drop_nulls()) == {"model"}
    assert reader(workspace, "lexicon") == before
    assert reader_of(workspace, {"text": after.to_json()}) == after
    assert not used_text(classified(rows, reader_of(workspace, {})).head(0))
    desk.choose(ANNA, workspace, kind="main_business", model=False, key="choose-02")
    assert desk.chosen(ANNA, workspace)["main_business"] is None
    assert reader(workspace, "auto") == before


def test_the_class_of_one_firm_says_what_decided(workspace) -> None:
    path = workspace.snapshot("organisations").path
    one = class_of(path, "o0000000", reader(workspace, "lexicon"))
    assert one["classified_by"] in {"main_business", None}
    assert class_of(path, "nobody", reader(workspace, "lexicon")) == {}
    off = class_of(path, "o0000000", reader(workspace, "off"))
    assert off == {"digital_code": None, "classified_by": None, "evidence": None, "words": None}


def test_the_registers_own_class_stands_whatever_texts_say() -> None:
    rows = pl.DataFrame(
        {"name": ["软件公司", "软件公司"], "digital_code": ["0105", None], "industry_code": ["0111", "0111"]}
    )
    found = classified(rows, reader(None, "off"))  # type: ignore[arg-type]  # off asks the workspace nothing
    assert found.select("digital_code", "classified_by").rows() == [("0105", "register"), (None, "code")]
    assert not used_text(found)


def test_command_line_goes_the_whole_way(workspace, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("JIQUN_LANG", "en")
    run = CliRunner()

    def call(*words: str):
        done = run.invoke(assembled("classify"), ["classify", *words, "--workspace", str(workspace.path)])
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done

    sample = call("sample", "--kind", "main_business", "--size", "100").stdout.strip().splitlines()[-1]
    assert sample.startswith("smp_")
    for hand in ("first", "second"):
        sheet = tmp_path / f"{hand}.csv"
        call("export", sample, "--hand", hand, "--out", str(sheet))
        rows = pl.read_csv(sheet, infer_schema=False)
        rows.with_columns(label=pl.col("text").map_elements(truth, return_dtype=pl.String)).write_csv(sheet)
        call("label", sample, str(sheet), "--hand", hand)
    assert "kappa 1.00" in call("agreement", sample).stderr
    assert json.loads(call("samples", "--format", "json").stdout)[0]["first"] == 100
    shown = json.loads(call("show", "--format", "json").stdout)
    assert {row["measured"] for row in shown} == {"unmeasured 未测"}
    trained = json.loads(call("train", "--kind", "main_business", "--format", "json").stdout)
    assert trained[1]["by"] == "model"
    assert trained[1]["f1"] > 0.7
    call("choose", "model", "--kind", "main_business")
    assert json.loads(call("show", "--kind", "main_business", "--format", "json").stdout)[1]["used"] is True


def test_texts_are_classified_on_the_command_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("JIQUN_LANG", "en")
    run = CliRunner()
    done = run.invoke(
        assembled("classify"),
        ["classify", "text", "集成电路设计；技术服务", "白酒酿造", "--kind", "scope", "--format", "json"],
    )
    rows = json.loads(done.stdout)
    assert [(row["digital_code"], row["words"]) for row in rows] == [("0304", "集成电路设计"), (None, "白酒")]
    file = tmp_path / "firms.csv"
    file.write_text("企业名称,行业代码,经营范围\n甲,,软件开发\n乙,0111,软件开发\n", encoding="utf-8")
    done = run.invoke(assembled("classify"), ["classify", "text", str(file), "--kind", "scope", "--format", "json"])
    assert [(row["name"], row["digital_code"]) for row in json.loads(done.stdout)] == [("甲", "0301"), ("乙", None)]
    assert run.invoke(assembled("classify"), ["classify", "text"]).exception is not None
    missing = run.invoke(assembled("classify"), ["classify", "text", str(file), "--kind", "summary"])
    assert isinstance(missing.exception, InputError)
