"""How much is let, how long it was vacant, who is in: brute force, published medians, ranges that hold what is unknown."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.assess.carriers import carrier_tree
from jiqun.assess.idle import Thresholds, idle_carriers
from jiqun.assess.tenants import output_per_area, tenant_relatedness, titled
from jiqun.assess.vacancy import median_vacancy, occupancy
from jiqun.core.errors import MeasureInputError

DAY = date(2024, 5, 1)


def park(*units, area=None, **more):
    """A park P with units (area, status), its own area, and other columns of the units."""
    frame = pl.DataFrame(
        {
            "name": ["P", *(str(i) for i in range(len(units)))], "kind": ["park", *["unit"] * len(units)],
            "parent": [None, *["P"] * len(units)], "area_m2": [area, *(one[0] for one in units)],
            "status": [None, *(one[1] for one in units)],
        },
        schema_overrides={"area_m2": pl.Float64, "status": pl.String, "parent": pl.String},
    )  # fmt: skip
    return frame.with_columns(pl.Series(name, [None, *values]) for name, values in more.items())


def found(frame, **more):
    return occupancy(carrier_tree(frame), as_of=DAY, **more)


def shares(frame, **more):
    row = found(frame, **more).parks.row(0, named=True)
    return tuple(None if row[name] is None else round(row[name], 6) for name in ("share", "low", "high"))


def test_a_census_of_units_has_no_range():
    assert shares(park((100, "let"), (300, "vacant"))) == (0.25, 0.25, 0.25)
    assert shares(park((100, "let"), (100, "reserved"), (100, "works"), (100, "vacant"))) == (0.25, 0.25, 0.25)


def test_what_is_not_on_record_widens_the_range_and_is_never_guessed():
    assert shares(park((100, "let"), (100, None), (200, "vacant"))) == (0.333333, 0.25, 0.5)
    assert shares(park((100, "let"), (300, None))) == (None, 0.25, 1.0)
    assert shares(park((None, "let"), (None, "vacant"))) == (None, None, None)
    assert shares(park((100, None), (100, None), tenant=["某公司", None])) == (1.0, 0.5, 1.0)


def test_old_records_and_leases_that_are_over_say_nothing():
    old = [DAY - timedelta(days=366), DAY - timedelta(days=365)]
    assert shares(park((100, "let"), (100, "vacant"), as_of=old)) == (0.0, 0.0, 0.5)
    ended = [DAY - timedelta(days=1), None]
    result = found(park((100, "let"), (100, "vacant"), let_to=ended))
    assert result.nodes["state"].to_list()[1:] == ["lapsed", "vacant"]
    assert shares(park((100, "let"), (100, "vacant"), let_to=ended)) == (0.0, 0.0, 0.5)
    assert shares(park((100, "let"), (100, "vacant")), spoken=date(2020, 1, 1)) == (None, 0.0, 1.0)


def test_a_parents_own_area_and_let_area_count_where_they_fit():
    units = (100, "let"), (100, "vacant")
    assert shares(park(*units, area=400.0)) == (0.5, 0.25, 0.75)
    whole = park(*units, area=400.0).with_columns(let_m2=pl.Series([250.0, None, None]))
    assert shares(whole) == (0.625, 0.625, 0.625)
    against = park(*units, area=400.0).with_columns(let_m2=pl.Series([350.0, None, None]))
    assert shares(against) == (0.5, 0.25, 0.75)
    assert [remark.code for remark in found(against).remarks] == ["JQ-ASSESS-118"]
    alone = pl.DataFrame({"name": ["P"], "area_m2": [200.0], "let_m2": [50.0]})
    assert shares(alone) == (0.25, 0.25, 0.25)
    assert found(alone).parks["vacant_m2"].item() == 150.0


UNIT = st.tuples(st.integers(0, 50), st.sampled_from(["let", "vacant", "reserved", "works", None]))


@given(st.lists(st.lists(UNIT, min_size=1, max_size=4), min_size=1, max_size=4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_sums_are_those_of_the_units_at_every_level_and_doubling_changes_no_share(buildings, deep):
    rows = [("P", "park", None, None, None)]
    for b, units in enumerate(buildings):
        rows.append((f"B{b}", "building", "P", None, None))
        if deep:
            rows.append(("F", "floor", f"P/B{b}", None, None))
        rows += [(f"{b}-{u}", "unit", f"P/B{b}/F" if deep else f"B{b}", float(a), s) for u, (a, s) in enumerate(units)]
    schema = {"name": pl.String, "kind": pl.String, "parent": pl.String, "area_m2": pl.Float64, "status": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    result = found(frame)
    held = dict(zip(carrier_tree(frame).nodes["path"], result.nodes.to_dicts(), strict=True))
    every = [unit for units in buildings for unit in units]
    for path, units in [("P", every), *((f"P/B{b}", units) for b, units in enumerate(buildings))]:
        assert held[path]["total_m2"] == sum(a for a, _ in units)
        assert held[path]["let_m2"] == sum(a for a, s in units if s == "let")
        assert held[path]["open_m2"] == sum(a for a, s in units if s is None)
        assert held[path]["vacant_m2"] == sum(a for a, s in units if s == "vacant")
    doubled = found(frame.with_columns(area_m2=pl.col("area_m2") * 2)).parks
    assert doubled.select("share", "low", "high").equals(result.parks.select("share", "low", "high"))


def test_the_median_is_that_of_freireich_1963():
    """Freireich et al. (1963), Blood 21, 699–716: weeks in remission; medians 23 (6-MP, 12 of 21 censored) and 8 (placebo)."""
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    ended = np.arange(21) < 9
    median, low, high = median_vacancy(np.array(weeks, float), ended)
    assert (median, low, high) == (23, 13, None)
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    median, low, high = median_vacancy(np.array(placebo, float), np.ones(21, bool))
    assert (median, low, high) == (8, 4, 11)
    assert median_vacancy(np.ones(5), np.ones(5, bool)) == (1, None, None)
    assert median_vacancy(np.ones(6), np.ones(6, bool)) == (1, 1, 1)


def test_units_still_vacant_are_censored_and_let_ones_have_ended():
    since = [DAY - timedelta(days=100), DAY - timedelta(days=400), DAY - timedelta(days=50), None]
    begun = [None, DAY - timedelta(days=200), DAY - timedelta(days=60), None]
    spells = found(
        park((1, "vacant"), (1, "let"), (1, "let"), (1, "vacant"), vacant_since=since, let_from=begun)
    ).spells
    assert spells.select("days", "ended").rows() == [(100, False), (200, True)]  # let before it was vacant: left out


def test_findings_need_their_whole_interval_beyond_the_threshold():
    def vacancy(frame, **more):
        return next(one for one in idle_carriers(found(frame), **more) if one.code == "idle.vacancy")

    idle = vacancy(park((400, "vacant"), (600, "let")))
    assert (idle.state, idle.severity, idle.low) == ("found", "medium", pytest.approx(0.4))
    assert vacancy(park((600, "vacant"), (400, "let"))).severity == "high"
    assert vacancy(park((200, "vacant"), (800, "let"))).state == "not_found"
    open_ = vacancy(park((400, "vacant"), (200, None), (400, "let")))
    assert (open_.state, open_.low, open_.high) == ("found", pytest.approx(0.4), pytest.approx(0.6))
    unsure = vacancy(park((200, "vacant"), (200, None), (600, "let")))
    assert unsure.state == "unknown"
    assert unsure.missing
    assert vacancy(park((200, "vacant"), (800, "let")), thresholds=Thresholds(share=0.1)).state == "found"
    assert vacancy(park((None, "vacant"))).state == "unknown"
    assert {one.state for one in idle_carriers(found(park((400, "vacant"), (600, "let"))))[1:]} == {"unknown"}


def test_long_vacancies_are_found_and_short_ones_are_not():
    def duration(days):
        begun = [DAY - timedelta(days=10)] * 30
        since = [DAY - timedelta(days=10 + days)] * 30
        result = found(park(*[(1, "let")] * 30, let_from=begun, vacant_since=since))
        return next(one for one in idle_carriers(result) if one.code == "idle.duration")

    assert (duration(800).state, duration(800).severity) == ("found", "high")
    assert duration(400).severity == "medium"
    assert duration(100).state == "not_found"


RELATED = pl.DataFrame({"class_i": ["a", "a", "b"], "class_j": ["b", "c", "c"], "relatedness": [0.8, 0.1, 0.0]})


def test_relatedness_is_the_mean_of_pairs_against_draws_from_the_same_city():
    firms = pl.DataFrame(
        {
            "id": [f"o{i}" for i in range(90)],
            "class": list("abc") * 30,
            "region_code": ["330106"] * 60 + ["440305"] * 30,
        }
    )
    tenants = pl.DataFrame({"park_id": ["p"] * 4, "organisation": ["o0", "o1", "o2", None]})
    parks = pl.DataFrame({"id": ["p"], "region_code": ["330108"]})
    row = tenant_relatedness(tenants, firms, RELATED, parks).row(0, named=True)
    assert (row["tenants"], row["classed"], row["pool"], row["pool_of"]) == (4, 3, 60, "city")
    assert row["mean"] == pytest.approx((0.8 + 0.1 + 0.0) / 3)
    same = (20 * 19 * 3) / (60 * 59)
    expected = same + (0.8 + 0.1 + 0.0) * 2 * 20 * 20 / (60 * 59)
    assert row["expected"] == pytest.approx(expected, abs=0.02)
    alike = tenants.with_columns(organisation=pl.Series(["o0", "o3", "o6", "o9"]))
    assert tenant_relatedness(alike, firms, RELATED, parks)["p"].item() > 0.9
    apart = pl.DataFrame({"park_id": ["p"] * 20, "organisation": [f"o{i}" for i in range(60) if i % 3][:20]})
    assert tenant_relatedness(apart, firms, RELATED, parks)["p"].item() < 0.2
    few = tenant_relatedness(tenants.head(2), firms, RELATED, parks).row(0, named=True)
    assert (few["mean"], few["p"]) == (None, None)
    assert tenant_relatedness(tenants, firms, RELATED.clear(), parks)["mean"].item() is None
    with pytest.raises(MeasureInputError):
        tenant_relatedness(tenants, firms, RELATED, parks, draws=9)


def test_titles_count_those_on_record_and_few_are_unlikely_by_chance():
    rows = pl.DataFrame({"park_id": ["a"] * 10 + ["b"] * 10, "titles": ["无"] * 10 + ["国家高新技术企业"] * 10})
    told = titled(rows).filter(title="high_tech").sort("park_id")
    assert told["share"].to_list() == [0.0, 1.0]
    assert told["p"].to_list() == [pytest.approx(1 / 184756), 1.0]  # 1 / C(20, 10)
    assert titled(rows.head(10))["p"].null_count() == 3  # nothing to compare with


def test_a_firms_revenue_is_dealt_to_parks_by_area_and_counted_once():
    rows = pl.DataFrame(
        {"park_id": ["a", "b", "b", "b"], "key": ["o1", "o1", "o2", "x"], "organisation": ["o1", "o1", "o2", None],
         "area_m2": [100.0, 300.0, 50.0, 10.0]}
    )  # fmt: skip
    firms = pl.DataFrame({"id": ["o1", "o2"], "revenue_cny": [4000.0, None]})
    assert output_per_area(rows, firms).select("park_id", "tenants", "counted", "cny_m2").rows() == [
        ("a", 1, 1, 10.0), ("b", 3, 1, 10.0),
    ]  # fmt: skip
    assert output_per_area(rows, firms.drop("revenue_cny"))["cny_m2"].to_list() == [None, None]


def test_an_age_below_one_day_is_refused():
    with pytest.raises(MeasureInputError):
        found(park((1, "let")), max_age_days=0)


def test_a_let_area_whose_lease_is_over_is_open():
    rows = pl.DataFrame(
        {"name": ["P", "1"], "kind": ["park", "unit"], "parent": [None, "P"], "area_m2": [None, 100.0],
         "let_m2": [None, 100.0], "status": [None, "let"], "let_to": [None, date(2023, 1, 1)]}
    )  # fmt: skip
    park = occupancy(rows, as_of=date(2024, 5, 1)).parks.row(0, named=True)
    assert (park["share"], park["low"], park["high"]) == (None, 0.0, 1.0)
