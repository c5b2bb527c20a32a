"""Pages of classification: try a text, label a sample, read its quality; hostile texts stay text."""

from __future__ import annotations

import numpy as np
import pytest
from test_pages_imports import form, send

from jiqun.classify import desk
from jiqun.classify.learn import evaluate, train
from jiqun.core.lineage import Lineage
from jiqun.store.commands import new_key

HOSTILE = '<script>alert(1)</script>"软件开发'


@pytest.fixture
def firms(workspace):
    """Every firm with a main business, one of them hostile; the register that the search ran on is behind it."""
    rows = workspace.scan("organisations").collect()
    said = [HOSTILE, *(f"{'软件开发' if i % 2 else '白酒酿造'}{i}" for i in range(1, len(rows)))]
    with workspace.new_snapshot("organisations", as_of="2024-06-01", source="synthetic") as writer:
        writer.write(rows.with_columns(main_business=np.array(said)))
    return rows


def test_a_text_is_tried_and_what_decided_is_told(signed_in):
    page = signed_in("analyst").get("/classify", params={"text": "集成电路设计；白酒", "kind": "scope"})
    assert page.status_code == 200
    assert "Information technology services (0304)" in page.text
    assert "集成电路设计" in page.text
    assert "no probability" in page.text
    hostile = signed_in("analyst").get("/classify", params={"text": HOSTILE})
    assert "<script>alert" not in hostile.text
    assert "unmeasured" in page.text


def test_pages_in_chinese_have_chinese_words(signed_in):
    page = signed_in("analyst").get("/classify", headers={"Accept-Language": "zh"})
    assert "按文本归类" in page.text
    assert "未测" in page.text
    assert "Samples to label" not in page.text


@pytest.mark.parametrize("role", ["member", None])
def test_who_may_not_is_sent_away(signed_in, client, role):
    browser = client if role is None else signed_in(role)
    for path in ("/classify", "/classify/samples/smp_x", "/classify/samples/smp_x/sheet.csv"):
        assert browser.get(path).status_code in {303, 403}


def test_an_auditor_sees_quality_and_nothing_to_do(signed_in):
    page = signed_in("auditor").get("/classify")
    assert page.status_code == 200
    assert "/classify/draw" not in page.text


def test_a_sample_is_drawn_labelled_by_two_and_settled(signed_in, firms):
    first, second = signed_in("analyst"), signed_in("operator")
    page = send(first, first.get("/classify").text, "/classify/draw", size="20")
    sample = page.partition('action="/classify/samples/')[2].partition("/")[0]
    label, settle = f"/classify/samples/{sample}/label", f"/classify/samples/{sample}/settle"
    given = {name: "03" for name in form(page, label) if name.startswith("item-")}
    assert len(given) == 20
    done = send(first, page, label, **given)
    assert "20 of 20 labelled" in done
    other = second.get(f"/classify/samples/{sample}").text
    assert "second annotator" in other
    assert 'value="03" selected' not in other
    differs = given | {"item-1": "none", "item-2": "01"}
    done = send(second, other, label, **differs)
    assert "Both labelled 20 texts, 18 of them alike" in done
    assert "kappa" in done
    page = send(second, done, settle, **{"item-1": "03", "item-2": "03"})
    assert settle not in page
    sheet = first.get(f"/classify/samples/{sample}/sheet.csv")
    assert sheet.text.count(",03") == 20


def test_hostile_texts_stay_text_in_a_sample(signed_in, firms, workspace):
    browser = signed_in("analyst")
    page = send(browser, browser.get("/classify").text, "/classify/draw", size="60")
    assert "<script>alert" not in page
    assert browser.get("/classify/samples/nothing").status_code == 404


def test_too_few_labels_are_told_on_the_page(signed_in):
    browser = signed_in("analyst")
    fields = form(browser.get("/classify").text, "/classify/train") | {"kind": "scope"}
    answer = browser.post("/classify/train", data=fields)
    assert answer.status_code == 422
    assert "Too few labels" in answer.text


def test_quality_is_shown_with_intervals_calibration_and_curve_and_the_model_chosen(signed_in, workspace):
    import polars as pl  # noqa: PLC0415

    texts = pl.Series([f"{'软件开发' if i % 2 else '白酒酿造'}{i}" for i in range(100)])
    core, weights = np.arange(100) % 2 == 1, np.ones(100)
    quality = evaluate(texts, core, weights, kind="scope", seed=1)
    values = {"kind": "scope", "quality": quality.to_json()}
    workspace.put_result(
        "text-model-scope", Lineage("classify.train", "1"), train(texts, core, weights).tables(), values
    )
    browser = signed_in("operator")
    page = browser.get("/classify").text
    for words in ("Lexicon and model on texts not seen", "Probability and observed share", "What more labels bring"):
        assert words in page
    done = send(browser, page, "/classify/choose", kind="scope", by="model")
    assert "The next search for clusters reads by it" in done
    operator = desk.LOCAL
    assert desk.chosen(operator, workspace)["scope"] is not None
    desk.choose(operator, workspace, kind="scope", model=False, key=new_key())
    assert desk.chosen(operator, workspace)["scope"] is None


def test_a_firms_page_says_what_decided_its_class(signed_in, firms):
    firm = firms.sort("id")["id"][1]
    page = signed_in("analyst").get(f"/firms/{firm}")
    assert "by the words of its main business: 软件开发" in page.text or "白酒" in page.text
    shown = signed_in("analyst").get(f"/firms/{firm}.json").json()["digital"]
    assert shown["classified_by"] == "main_business"
    public = signed_in("member").get(f"/firms/{firm}.json").json()["digital"]
    assert public["words"] is None
