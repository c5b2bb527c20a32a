"""Given points: how exact they are, and when they are doubted."""

from __future__ import annotations

import polars as pl
import pytest

from jiqun.core.errors import catalogue
from jiqun.intake._geo import distance_km
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import FAR, IMPOSSIBLE, OUTSIDE, SHARED, SWAPPED, place

SHENZHEN = (114.0579, 22.5431)


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


@pytest.fixture(scope="module")
def put(gazetteer):
    def put(lon, lat, **row):
        frame = pl.DataFrame({"lon": [lon], "lat": [lat], **{k: [v] for k, v in row.items()}})
        return place(frame.cast({"lon": pl.Float64, "lat": pl.Float64}), gazetteer).row(0, named=True)

    return put


@pytest.mark.parametrize(
    ("lon", "lat", "km"),
    [(114.05791, 22.54312, 0.1), (114.06, 22.54, 1), (114.06, 22.5, 1), (114.1, 22.5, 10), (114.0, 22.0, 10)],
)
def test_a_given_point_is_as_exact_as_its_decimals(put, lon, lat, km):
    found = put(lon, lat)
    assert (found["lon"], found["lat"], found["precision_km"]) == (lon, lat, km)
    assert found["placed_by"] == "coordinates"


def test_a_given_point_is_kept_and_the_place_named_beside_it(put):
    found = put(*SHENZHEN, city="深圳市")
    assert (found["lon"], found["lat"]) == SHENZHEN
    assert found["place_name_zh"] == "深圳"
    assert found["place_warning"] is None


@pytest.mark.parametrize(
    ("point", "row", "code"),
    [
        ((121.4737, 31.2304), {"address": "Chang'an Town, Dongguan, Guangdong, China"}, FAR),
        ((121.4737, 31.2304), {"region_code": "440305"}, FAR),
        ((2.3522, 48.8566), {"country": "CN"}, OUTSIDE),
        ((116.4, 39.9), {"country": "CN", "region": "Guangdong"}, OUTSIDE),
        ((22.5431, 114.0579), {"city": "Shenzhen", "country": "CN"}, SWAPPED),
        ((48.8566, 2.3522), {"city": "Paris", "country": "FR"}, SWAPPED),
        ((0.0, 0.0), {"city": "Shenzhen", "country": "CN"}, IMPOSSIBLE),
        ((214.0, 22.5), {"city": "Shenzhen", "country": "CN"}, IMPOSSIBLE),
        ((114.0, -95.0), {"city": "Shenzhen", "country": "CN"}, IMPOSSIBLE),
    ],
)
def test_a_point_that_does_not_fit_its_row_is_warned_of(put, point, row, code):
    assert put(*point, **row)["place_warning"] == code


@pytest.mark.parametrize(
    ("point", "row"),
    [
        (SHENZHEN, {"city": "Shenzhen", "country": "CN"}),
        ((114.0512, 22.5025), {"address": "Futian Free Trade Zone, Shenzhen, China"}),  # by the border of Hong Kong
        ((106.5, 29.5), {"region_code": "500000"}),
        ((109.5, 31.0), {"region": "重庆市"}),  # the municipality reaches 300 km from its centre
        ((-121.9, 37.4), {"country": "USA", "region": "CA"}),
        ((139.7, 35.7), {}),
        ((139.7, 35.7), {"country": "no such country"}),
        ((20.2, 67.9), {"country": "SE"}),
    ],
)
def test_a_point_that_fits_or_cannot_be_checked_is_not(put, point, row):
    assert put(*point, **row)["place_warning"] is None


def test_an_impossible_point_is_replaced_by_the_place_that_the_row_names(put):
    found = put(0.0, 0.0, city="Shenzhen", country="CN")
    assert found["placed_by"] == "city"
    assert (found["lon"], found["lat"]) == pytest.approx(SHENZHEN, abs=0.05)
    assert found["shared_point"] is None


@pytest.mark.parametrize(("lon", "lat"), [(None, None), (114.0, None), (float("nan"), 22.5)])
def test_half_a_point_is_none(put, lon, lat):
    found = put(lon, lat, city="Shenzhen", country="CN")
    assert found["placed_by"] == "city"
    assert found["place_warning"] is None


def test_points_shared_by_many_addresses_are_counted_and_warned_of(gazetteer):
    many = pl.DataFrame({"lon": 114.05791, "lat": 22.54312, "address": [f"东门路{i}号" for i in range(250)]})
    few = pl.DataFrame({"lon": 113.1, "lat": 23.1, "address": ["同一地址"] * 300})
    out = place(pl.concat([many, few]), gazetteer)
    assert out["shared_point"].unique(maintain_order=True).to_list() == [250, 1]
    assert out["place_warning"].head(250).unique().to_list() == [SHARED]
    assert out["place_warning"].tail(300).null_count() == 300
    tolerant = place(many, gazetteer, shared_firms=1000)
    assert tolerant["place_warning"].null_count() == 250


def test_the_distance_that_is_far_can_be_set(gazetteer):
    near_by = pl.DataFrame({"lon": [114.6], "lat": [22.8], "city": ["Shenzhen"], "country": ["CN"]})
    assert place(near_by, gazetteer)["place_warning"].item() is None
    assert place(near_by, gazetteer, far_km=30.0)["place_warning"].item() == FAR


def test_every_warning_has_its_words():
    fields = {"file": "f", "row": "1", "column": "lon, lat", "value": "0, 0", "detail": "—"}
    for code in (FAR, OUTSIDE, SWAPPED, IMPOSSIBLE, SHARED):
        for language in ("zh", "en"):
            assert "{" not in catalogue()[code].render(language, **fields)


def test_wrong_geocodes_of_supplier_sites_are_found(gazetteer, shared_data):
    """apple-supplier-sites: its author flags 12 points, 7 of which are plainly wrong: the provinces differ, and neither
    is Hong Kong beside Shenzhen nor a slip in the address (Shanxi for Shaanxi, two provinces named).
    """
    sites = pl.read_csv(shared_data / "real" / "apple-supplier-sites" / "sites.csv")
    out = place(sites, gazetteer)
    warned = out["place_warning"].is_not_null()
    slip = pl.col("address").str.contains("Xi’an, Shanxi") | pl.col("address").str.contains("Taizhou")
    border = pl.col("province_by_coord").fill_null("") == "香港特别行政区"
    wrong = out.select(pl.col("coord_suspect") & ~slip & ~border).to_series()
    assert wrong.sum() == 7
    assert (warned & wrong).sum() == 7
    assert (warned & sites["coord_suspect"]).sum() == 7  # and none of the five that are not wrong
    # Read one by one, the others are one address in another town than its point, or one that contradicts itself.
    assert (warned & ~sites["coord_suspect"]).sum() <= 10


def test_addresses_of_supplier_sites_are_placed_near_their_points(gazetteer, shared_data):
    """Half of the sites lie within 10 km of the centre of the town that their address names, nine in ten within 30."""
    sites = pl.read_csv(shared_data / "real" / "apple-supplier-sites" / "sites.csv").filter(~pl.col("coord_suspect"))
    out = place(sites.select("address", "country"), gazetteer)
    assert (out["placed_by"] == "address").mean() > 0.95
    joined = sites.select(x="lon", y="lat").with_columns(out["lon"], out["lat"], out["placed_by"])
    away = joined.filter(pl.col("placed_by") == "address").select(
        distance_km(*(pl.col(c) for c in ("x", "y", "lon", "lat")))
    )
    assert away.to_series().median() < 10
    assert (away.to_series() < 30).mean() > 0.85
