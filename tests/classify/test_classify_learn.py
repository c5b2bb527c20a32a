"""Agreement, sampling, training and its evaluation."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from classify_samples import firms, texts
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from jiqun.classify import agreement, draw, evaluate, learn, train
from jiqun.core.errors import InputError
from jiqun.taxonomy import LinearModel, classify_firms
from jiqun.taxonomy.linear import read_by_model

LABELS = ["01", "02", "03", "04", "05", "none", "unsure"]


def test_kappa_and_its_interval_match_the_skin_condition_example_of_sas_freq() -> None:
    """SAS/STAT User's Guide, PROC FREQ, example of kappa: 0.3449, standard error 0.0724, 0.2030 to 0.4868."""
    table = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]
    pairs = [(str(a), str(b)) for a, row in enumerate(table) for b, count in enumerate(row) for _ in range(count)]
    found = agreement([a for a, _ in pairs], [b for _, b in pairs])
    assert found.items == 88
    assert found.kappa == pytest.approx(0.3449, abs=5e-5)
    assert (found.low, found.high) == (pytest.approx(0.2030, abs=5e-5), pytest.approx(0.4868, abs=5e-5))


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=2, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = agreement(first, second)
    if found.kappa is None:
        assert len({*first, *second}) == 1
        return
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert found.low <= found.kappa <= found.high
    turned = agreement(second, first)
    assert (turned.kappa, turned.low) == (pytest.approx(found.kappa), pytest.approx(found.low))


def test_kappa_of_nothing_or_of_one_label_only_is_not_known() -> None:
    assert agreement([], []).kappa is None
    assert agreement(["01"] * 5, ["01"] * 5).kappa is None
    assert agreement(["01", "02"], ["01", "02"]).kappa == 1.0
    with pytest.raises(ValueError, match="one label"):
        agreement(["01"], [])


def test_a_sample_speaks_for_its_register_and_shows_what_is_rare() -> None:
    register = pl.DataFrame({"id": [str(i) for i in range(1000)]}).with_columns(
        text=pl.when(pl.col("id").cast(pl.Int64) < 10)
        .then(pl.format("集成电路设计{}", "id"))
        .otherwise(pl.format("白酒酿造{}", "id"))
    )
    found = draw(register, kind="main_business", size=40, seed=3)
    rare = found["text"].str.contains("集成电路")
    assert len(found) == 40
    assert rare.sum() == 10
    assert found["weight"].sum() == pytest.approx(1000)
    assert float(found.filter(rare)["weight"].sum()) == pytest.approx(10)
    assert draw(register, kind="main_business", size=40, seed=3).equals(found)
    assert not draw(register, kind="main_business", size=40, seed=4).equals(found)


def test_sampling_leaves_out_empty_texts_and_asks_for_one_text_once() -> None:
    register = pl.DataFrame({"id": list("abcdef"), "text": ["白酒", "白酒", "", None, "  ", "软件"]})
    found = draw(register, kind="main_business", size=50, seed=1)
    assert sorted(found["text"]) == ["白酒", "软件"]
    assert dict(found.select("text", "weight").iter_rows()) == {"白酒": 2.0, "软件": 1.0}
    assert draw(register.clear(), kind="main_business", size=50, seed=1).is_empty()


@pytest.fixture(scope="module")
def labelled():
    said, core = texts(160, noise=0.05)
    return said, core, np.ones(160)


@pytest.fixture(scope="module")
def quality(labelled):
    said, core, weights = labelled
    return evaluate(said, core, weights, kind="main_business", seed=4)


def test_quality_tells_precision_recall_f1_calibration_and_learning_curve(quality) -> None:
    assert quality.texts == 160
    assert quality.model.f1 > 0.7
    assert quality.model.low < quality.model.f1 < quality.model.high
    assert 0 <= quality.model.abstained < 0.5
    assert quality.lexicon.f1 > 0.7
    assert sum(part.texts for part in quality.calibration) == 160
    assert all(part.observed_low <= part.observed <= part.observed_high for part in quality.calibration if part.texts)
    sizes = [size for size, _ in quality.curve]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 128
    assert quality.curve[-1][1] >= quality.curve[0][1]
    assert json.loads(json.dumps(quality.to_json()))["model"]["f1"] == quality.model.f1


def test_evaluation_is_the_same_for_the_same_seed(labelled, quality) -> None:
    said, core, weights = labelled
    assert evaluate(said, core, weights, kind="main_business", seed=4) == quality


def test_no_label_reaches_the_model_that_judges_its_text(labelled, monkeypatch) -> None:
    """Every fit sees training rows only, and its sigmoid only margins of rows that the fit behind them has not seen."""
    said, core, weights = labelled
    seen: list[int] = []
    fit = learn._fit

    def watched(x, part_core, part_weights, seed):
        seen.append(x.shape[0])
        return fit(x, part_core, part_weights, seed)

    monkeypatch.setattr(learn, "_fit", watched)
    evaluate(said, core, weights, kind="main_business", seed=4)
    assert max(seen) == 128  # never all 160
    for train_rows, judged in learn.folds(core, 4):
        assert not set(train_rows) & set(judged)
        # what a judged text was labelled as cannot move its own probability
        flipped = core.copy()
        flipped[judged[0]] = ~flipped[judged[0]]
        one = fit(learn.features(said.gather(train_rows)), core[train_rows], weights[train_rows], 4)
        other = fit(learn.features(said.gather(train_rows)), flipped[train_rows], weights[train_rows], 4)
        text = said.gather([int(judged[0])])
        assert one.probability(text)[0] == other.probability(text)[0]


def test_labels_without_meaning_teach_nothing() -> None:
    """A leak would show here: of labels drawn at random the model must be sure of hardly any."""
    said, _ = texts(300, seed=7)
    core = np.random.default_rng(8).random(300) < 0.5
    found = evaluate(said, core, np.ones(300), kind="main_business", seed=1)
    assert found.model.abstained > 0.9
    for part in found.calibration:
        if part.texts >= 30:
            assert part.observed_low - 0.1 <= part.predicted <= part.observed_high + 0.1


def test_sampling_weights_bring_the_base_rate_back() -> None:
    """Drawn half core, half not, from a register in which one in ten is core: probabilities average to a tenth."""
    said, core = texts(400, seed=5, noise=0.2)
    share = core.mean()
    weights = np.where(core, 0.1 / share, 0.9 / (1 - share))
    weighted, plain = train(said, core, weights), train(said, core, np.ones(400))
    assert np.average(weighted.probability(said), weights=weights) == pytest.approx(0.1, abs=0.04)
    assert weighted.probability(said).mean() < plain.probability(said).mean()


def test_too_few_labels_are_refused_with_their_counts() -> None:
    said, _ = texts(60)
    core = np.arange(60) < 19
    with pytest.raises(InputError, match="JQ-CLASSIFY-006"):
        train(said, core, np.ones(60))
    with pytest.raises(InputError, match="JQ-CLASSIFY-006"):
        evaluate(said, core, np.ones(60), kind="main_business")


def test_a_model_is_kept_as_plain_numbers_and_abstains(labelled) -> None:
    said, core, weights = labelled
    model = train(said, core, weights)
    again = LinearModel.of(**model.tables(), id="x")
    assert again.probability(said).equals(model.probability(said))
    found = read_by_model(
        pl.Series(["软件开发、系统集成服务", "白酒酿造、水泥生产", "", None, "某某"]), "main_business", "narrow", model
    )
    assert found["core"].to_list()[:2] == [True, False]
    assert found["digital_division"][0] == "03"
    assert found["decided"].to_list()[2:4] == [None, None]
    assert found["score"].is_between(0, 1).all()
    shut = LinearModel(np.zeros_like(model.weights), 0.0, -1.0, 0.0)
    undecided = read_by_model(said, "main_business", "narrow", shut)
    assert undecided["core"].is_null().all()
    assert not undecided["decided"].any()
    firm = classify_firms(firms(3), models={"main_business": model})
    assert set(firm["evidence"].drop_nulls()) <= {"model", "text"}


def test_wilson_interval_matches_newcombe_1998() -> None:
    """Newcombe (1998), Statistics in Medicine 17, table I: 15 of 148, 0.0624 to 0.1605."""
    assert learn.wilson(15 / 148, 148) == (pytest.approx(0.0624, abs=5e-5), pytest.approx(0.1605, abs=5e-5))
