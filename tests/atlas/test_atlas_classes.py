"""What a run makes of texts: recorded where they had a say, nothing where they had none, and followed by the map."""

from __future__ import annotations

import polars as pl
import pytest
from test_atlas_desk import SEARCH, firms, load, workspace  # noqa: F401  # a fixture

from jiqun.atlas import desk
from jiqun.atlas.located import located
from jiqun.atlas.reading import Run
from jiqun.core.actor import LOCAL
from jiqun.core.errors import MeasureInputError
from jiqun.taxonomy import fingerprint


def told(frame: pl.DataFrame) -> pl.DataFrame:
    """Firms of Boulder program, the others brew."""
    words = pl.when(pl.col("place_name") == "Boulder").then(pl.lit("软件开发")).otherwise(pl.lit("白酒酿造"))
    return frame.with_columns(main_business=words)


def test_firms_without_a_decisive_code_are_classed_by_their_texts_and_the_run_says_so(workspace):  # noqa: F811
    load(workspace, told(firms()))
    search = desk.Search(digital="03", background="population", coverage="world", eps_km=20)
    result = desk.run(LOCAL, workspace, search)
    assert result.table("clusters")["name_en"].to_list() == ["Boulder"]
    assert set(result.table("members")["digital_code"]) == {"0301"}
    assert result.lineage.parameters["text"] == "auto"
    assert len(result.lineage.parameters["text_method"]) == 16
    assert result.values["text"]["firms"] == {"main_business": 110}
    assert result.values["text"]["models"] == {}
    assert len(fingerprint()) == 64
    run = Run.of(workspace, result)
    assert len(located(workspace, run)) == 60
    with pytest.raises(MeasureInputError, match="JQ-ATLAS-005"):  # without texts there is none of the class
        desk.run(LOCAL, workspace, desk.Search(**{**vars(search), "text": "off"}))


def test_a_register_that_gives_every_class_is_searched_as_before(workspace):  # noqa: F811
    """What texts say changes neither the result nor its name, so that histories go on."""
    given = firms().with_columns(digital_code=pl.lit("010201"))
    load(workspace, told(given))
    result = desk.run(LOCAL, workspace, SEARCH)
    assert "text" not in result.lineage.parameters
    assert "text_method" not in result.lineage.parameters
    assert "text" not in result.values
    assert set(result.table("members")["digital_code"]) == {"010201"}
    assert desk.run(LOCAL, workspace, desk.Search(**{**vars(SEARCH), "text": "off"})).id == result.id


@pytest.mark.parametrize("code", ["0111", "6513"])
def test_a_decisive_code_is_not_overruled_by_words(workspace, code):  # noqa: F811
    load(workspace, told(firms()).with_columns(industry_code=pl.lit(code)))
    result = desk.run(LOCAL, workspace, SEARCH)
    assert "text" not in result.lineage.parameters
    assert set(result.table("members")["digital_code"]) == {"030103" if code == "6513" else None}
