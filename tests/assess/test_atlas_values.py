"""Indicators that the atlas computes of clusters, against small cases by hand; and where it says that it cannot."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest

from jiqun.assess.atlas_values import Reading, atlas_value
from jiqun.core.document import Text


def reading(workspace=None, *, members=None, digital=None, **has):
    """A reading of a run that is made up of what is given; other properties as of `Reading`, set by hand."""
    run = SimpleNamespace(digital=digital, **has)
    made = Reading(workspace, run)
    if members is not None:
        made.__dict__["members"] = pl.DataFrame(members, schema=["cluster_id", "id"], orient="row")
    return made


def values(made, code):
    found = atlas_value(made, code)
    assert isinstance(found, pl.DataFrame), found
    return dict(found.iter_rows())


def reason(made, code):
    found = atlas_value(made, code)
    assert isinstance(found, Text), found
    assert found.zh
    return found.en


def cells(rows):
    return lambda: pl.DataFrame(rows, schema=["cluster_id", "digital_code", "n"], orient="row")


PAIRED = [(f"c{k}", code, 10) for k in range(8) for code in (("a", "b") if k < 4 else ("x", "y"))]
"""Four clusters of a and b, four of x and y: of each pair either goes with the other alone."""


def test_related_density_is_the_mean_over_what_a_cluster_lacks():
    rows = [*PAIRED, ("half", "a", 20), ("none", "x", 10), ("none", "z", 10)]
    found = values(reading(classes=cells(rows)), "related_density")
    assert len(found) == 10
    # φ, associations: a–b and x–y share 4 clusters, x–z one. `half` has a alone: of what is related to b it has all (a), of
    # what is related to x, y, z nothing
    assert found["half"] == pytest.approx(100 * (1 + 0 + 0 + 0) / 4)
    # c0 has a and b and lacks x, y, z, of whose neighbours it has none: that is known to be 0
    assert found["c0"] == 0
    # c7 has x and y and lacks a, b (0) and z, all of whose neighbours (x) it has
    assert found["c7"] == pytest.approx(100 / 3)
    # `none` has x and z: it lacks a, b (0) and y, all of whose neighbours (x) it has
    assert found["none"] == pytest.approx(100 / 3)


def test_related_density_is_missing_of_few_clusters_and_of_those_with_few_classed_members():
    rows = [*PAIRED, ("half", "a", 20), ("none", "x", 10), ("none", "z", 10)]
    few = [row if row[0] != "half" else ("half", "a", 9) for row in rows]
    assert "9. Of fewer than 10" in reason(reading(classes=cells(few)), "related_density")
    more = [*few, ("more", "x", 20)]
    assert "half" not in values(reading(classes=cells(more)), "related_density")
    rare = [*more, ("more", "rare", 4)]  # a class of four firms is not looked at
    assert values(reading(classes=cells(rare)), "related_density") == values(
        reading(classes=cells(more)), "related_density"
    )
    one = [(f"c{k}", "a", 20) for k in range(12)]  # one class: nothing is lacking, nothing related
    assert reason(reading(classes=cells(one)), "related_density") == "Unknown for every cluster."
