"""A made-up register with planted ailments: six regions, two of which make the same, one cluster without links."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl

from jiqun.atlas import desk, network_desk
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace

TOWNS = {
    "US": (-105.27, 40.01, "Boulder"), "GB": (0.12, 52.2, "Cambridge"), "DE": (9.99, 53.55, "Hamburg"),
    "FR": (2.35, 48.86, "Paris"), "KR": (126.98, 37.57, "Seoul"), "JP": (135.5, 34.69, "Osaka"),
}  # fmt: skip
CLASSES = (
    "0101",
    "0102",
    "0103",
    "0104",
    "0105",
    "0106",
    "0201",
    "0301",
    "0302",
    "0303",
    "0304",
    "0305",
    "0401",
    "0402",
)
INDUSTRIES = (
    "3911",
    "3922",
    "3931",
    "3961",
    "3973",
    "4011",
    "5179",
    "6311",
    "6321",
    "6420",
    "6513",
    "6550",
    "6621",
    "7010",
)
PER_TOWN = 60
INSTITUTIONS = ("University", "Research Institute", "Venture Capital", "Industry Association")


def register(seed: int = 7) -> pl.DataFrame:
    """Firms whose classes depend on their town: the first two towns alike. Institutions everywhere but in the first town."""
    rng = np.random.default_rng(seed)
    profile = rng.dirichlet(np.full(len(CLASSES), 0.4), len(TOWNS))
    profile[1] = profile[0]
    rows = []
    for t, (country, (lon, lat, town)) in enumerate(TOWNS.items()):
        made = rng.choice(len(CLASSES), PER_TOWN, p=profile[t])
        for k, c in enumerate(made):
            rows.append((f"Maker {t}-{k}", country, lon, lat, town, f"{CLASSES[c]}01", INDUSTRIES[c]))
        for kind in INSTITUTIONS * (0 if t == 0 else 5):
            rows.append((f"{kind} {t}-{len(rows)}", country, lon, lat, town, None, None))
    names = ["name", "country", "lon", "lat", "place_name", "digital_code", "industry_code"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    jitter = rng.normal(0, 0.03, (2, frame.height))
    frame = frame.with_columns(lon=pl.col("lon") + jitter[0], lat=pl.col("lat") + jitter[1])
    return frame.with_columns(
        id=pl.format("o{}", pl.int_range(pl.len())), city=pl.col("place_name"), precision_km=pl.lit(0.1), placed_by=pl.lit("city"),
        place_name_zh=pl.lit(None, pl.String), employees=pl.Series(rng.integers(5, 300, frame.height)),
    )  # fmt: skip


def links(firms: pl.DataFrame, seed: int = 3) -> pl.DataFrame:
    """Dense supply in every town but the first, whose firms all buy from one firm abroad and use one platform; joint patents with universities."""
    rng = np.random.default_rng(seed)
    rows = []
    by = {str(key[0]): part for key, part in firms.partition_by("country", as_dict=True).items()}
    for country, part in by.items():
        makers = part.filter(pl.col("name").str.starts_with("Maker"))["id"].to_list()
        if country == "US":
            rows += [(by["KR"]["id"][0], buyer, "supply", 5.0) for buyer in makers[:40]]
            rows += [(far, own, "project", 1.0) for far, own in zip(by["JP"]["id"][:12], makers[20:32], strict=True)]
            rows += [(makers[0], makers[1], "supply", 1.0)]
            rows += [(by["FR"]["id"][0], user, "platform", 1.0) for user in makers[:15]]
            continue
        pairs = rng.choice(makers, (120, 2))
        far = firms.filter(~pl.col("country").is_in(["US", country]))["id"].to_list()
        rows += [
            (one, other, "supply", 1.0) for one, other in zip(rng.choice(makers, 60), rng.choice(far, 60), strict=True)
        ]
        rows += [(one, other, "supply", 1.0) for one, other in pairs if one != other]
        schools = part.filter(pl.col("name").str.starts_with("University"))["id"].to_list()
        rows += [(one, rng.choice(schools), "co-invention", 1.0) for one in makers[:25]]
    frame = pl.DataFrame(rows, schema=["source", "target", "kind", "weight"], orient="row")
    frame = frame.unique(["source", "target", "kind"], maintain_order=True)
    return frame.with_columns(id=pl.format("l{}", pl.int_range(pl.len())))


def governance(unit: str) -> pl.DataFrame:
    """A cluster without a promotion body, and little else."""
    values = {
        "gov.body": 0.0, "gov.legal_person": 0.0, "gov.market_income_share": 0.0, "gov.services": 1.0,
        "gov.council_kinds": 1.0, "gov.member_coverage": 0.1, "gov.full_time_staff": 0.0,
    }  # fmt: skip
    rows = [(f"i{k}", unit, code, 2024, value, "made up for a test") for k, (code, value) in enumerate(values.items())]
    return pl.DataFrame(rows, schema=["id", "unit", "indicator", "year", "value", "evidence"], orient="row")


def load(workspace: Workspace, table: str, frame: pl.DataFrame, day: str = "2024-05-01") -> None:
    """One load of a table."""
    with workspace.new_snapshot(table, as_of=day, source="made up for a test") as writer:
        writer.write(frame)


def diagnosable(folder: Path, places: Path) -> Workspace:
    """A workspace with all of it, its clusters searched and its network analysed."""
    made = Workspace.init(folder)
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    firms = register()
    load(made, "organisations", firms)
    load(made, "links", links(firms))
    desk.run(LOCAL, made, desk.Search(background="population", coverage="world", eps_km=20, size="employees"))
    boulder = made.result("clusters").table("clusters").filter(pl.col("country") == "US")["cluster_id"].item()
    load(made, "indicators", governance(boulder))
    network_desk.run(LOCAL, made, network_desk.Analysis(nulls=19, draws=39))
    return made
