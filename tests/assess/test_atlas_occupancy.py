"""Occupancy of carriers by cluster, against a small case by hand; and where the atlas says that it cannot."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from assess_workspace import SEARCH, firms, load_firms, load_indicators

from jiqun.assess import parks_desk
from jiqun.assess.atlas_values import ATLAS_INDICATORS, Reading, atlas_value
from jiqun.assess.framework import framework_of
from jiqun.assess.panel import gather
from jiqun.atlas import desk as atlas
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL
from jiqun.core.document import Text
from jiqun.intake import desk as intake
from jiqun.report.tables import MOST_CHARACTERS

DAY = date(2023, 5, 1)
# park: (area, status, tenant) of each unit; a tenant `Boulder 1` is the register's firm of that name
ELM = [
    (100, "let", "Boulder 1"), (150, "let", "Boulder 2"), (150, "let", "Boulder 4"), (50, "let", "Oulu 1"),
    (450, "vacant", None),
]  # fmt: skip
OAK = [(20, "let", "Boulder 3"), (20, "let", "Boulder 5"), (10, "let", "Boulder 6"), (150, None, None)]
TIED = [
    *((20, "let", f"Cambridge {k}") for k in (1, 2, 3)), (10, "let", "Grenoble 1"), (5, "let", "Grenoble 2"),
    (5, "let", "Grenoble 3"), (20, "vacant", None),
]  # fmt: skip
YEW = [(20, "let", "Oulu 2"), (10, "let", "Oulu 3"), (10, "let", "Oulu 4"), (60, None, None)]
FIR = [(900, "let", "nobody known"), (10, "let", "lone 1")]
FEW = [(400, "let", "Boulder 7"), (400, "let", "Boulder 8")]
MIXED = [
    *((100, "let", f"Boulder {k}") for k in (9, 10, 11)), *((100, "let", f"Oulu {k}") for k in (5, 6)),
    *((100, "let", f"lone {k}") for k in (2, 3)),
]  # fmt: skip


def load(workspace, parks):
    """Carriers of each park, with all units recorded on DAY."""
    rows = []
    for park, units in parks.items():
        rows.append((park, "园区", None, None, None, None))
        rows += [(f"{park}{k}", "单元", park, area, state, who) for k, (area, state, who) in enumerate(units)]
    names = ["name", "kind", "parent", "area_m2", "status", "tenant"]
    kinds = {"area_m2": pl.Float64, "parent": pl.String, "status": pl.String, "tenant": pl.String}
    frame = pl.DataFrame(rows, schema=names, orient="row", schema_overrides=kinds, strict=False)
    intake.load(LOCAL, workspace, frame.with_columns(as_of=pl.lit(DAY)), "carriers", as_of=DAY.isoformat())


@pytest.fixture
def parked(workspace):
    """Clusters whose firms are called by city and number, and seven parks; not assessed."""
    named = firms().with_columns(name=pl.col("id").str.slice(2).str.replace("-", " "))
    load_firms(workspace, named, "2023-06-01")
    atlas.run(LOCAL, workspace, SEARCH)
    load(workspace, {"Elm": ELM, "Oak": OAK, "Tied": TIED, "Yew": YEW, "Fir": FIR, "Few": FEW, "Mixed": MIXED})
    return workspace


def told(workspace):
    return atlas_value(Reading(workspace, find_run(workspace, Which())), "occupancy")


def reason(workspace):
    found = told(workspace)
    assert isinstance(found, Text), found
    assert found.zh
    return found.en


def cities(workspace):
    """The city of each cluster by id."""
    members = Reading(workspace, find_run(workspace, Which())).members
    return dict(members.select("cluster_id", pl.col("id").str.split("-").list.get(1)).unique().iter_rows())


def test_occupancy_adds_up_the_areas_of_the_parks_in_which_most_tenants_are_of_the_cluster(parked):
    parks_desk.assess(LOCAL, parked, as_of=DAY)
    city = cities(parked)
    first = min(key for key, name in city.items() if name in {"Cambridge", "Grenoble"})
    # Elm has three firms of Boulder and one of Oulu: let 450 of 900. Of Oak only a quarter is known (50 let, 150 open), of both
    # together 950 of 1,100. The tied park goes to the first by id, not to the greater tenant. Of Yew, which is Oulu's, less
    # than half is known; of Fir no tenant is in a cluster. Few has but two tenants; of Mixed, three of seven are of one cluster.
    assert dict(told(parked).iter_rows()) == pytest.approx(
        {next(key for key, name in city.items() if name == "Boulder"): 100 * 500 / 950, first: 80.0}
    )


def test_occupancy_is_as_of_the_day_that_parks_were_assessed_for(parked):
    parks_desk.assess(LOCAL, parked, as_of=date(2025, 1, 1))  # all records are older than a year
    assert "half of the area" in reason(parked)
    parks_desk.assess(LOCAL, parked, as_of=date(2025, 1, 1), max_age_days=1000)
    assert told(parked).height == 2


def test_occupancy_is_missing_where_parks_are_not_assessed_or_others_were(parked):
    assert "are not assessed" in reason(parked)
    parks_desk.assess(LOCAL, parked, as_of=DAY)
    assert told(parked).height == 2
    load(parked, {"Fir": FIR})
    assert "of other carriers" in reason(parked)
    parks_desk.assess(LOCAL, parked, as_of=DAY)
    assert reason(parked) == "In no park are 3 tenants, and half of those matched, members of one cluster."


def test_occupancy_is_missing_where_another_register_was_searched(parked):
    load_firms(parked, firms().head(100), "2023-07-01")
    parks_desk.assess(LOCAL, parked, as_of=DAY)
    assert parks_desk.assessed(parked).current
    assert "than was searched" in reason(parked)


def test_occupancy_of_the_table_comes_first_and_that_of_the_atlas_names_its_source(parked):
    result = parks_desk.assess(LOCAL, parked, as_of=DAY)

    def gathered():
        found = gather(parked, framework_of("health"))
        row = found.coverage.filter(code="occupancy").row(0, named=True)
        return (row["origin"], row["state"], row["units"]), {one.digest for one in found.sources(parked)}

    row, sources = gathered()
    assert row == ("atlas", "used", 2)
    assert result.id in sources
    ids = list(cities(parked))
    load_indicators(parked, [(ids[0], "occupancy", 2023, 70.0, "%"), (ids[1], "occupancy", 2023, 60.0, "%")])
    row, sources = gathered()
    assert row == ("table", "used", 2)
    assert result.id not in sources


def test_how_occupancy_is_computed_fits_the_cell_that_shows_it():
    how = ATLAS_INDICATORS["occupancy"].how
    assert max(len(how.zh), len(how.en)) <= MOST_CHARACTERS
