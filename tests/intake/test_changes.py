"""What changed between two loads: every row is accounted for, whoever it is by now."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from jiqun.cli.app import assembled
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import PermissionDeniedError, UsageError, WorkspaceError
from jiqun.core.lineage import Lineage, Source
from jiqun.core.schema import schema
from jiqun.intake import changes, comparing, desk
from jiqun.intake.changes import CHANGES, KINDS, compare
from jiqun.intake.effect import effects
from jiqun.store import Workspace

FIRMS = schema("organisations")
COLUMNS = {
    "id": pl.String,
    "name": pl.String,
    "uscc": pl.String,
    "industry_code": pl.String,
    "country": pl.String,
    "city": pl.String,
    "employees": pl.Int64,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "precision_km": pl.Float64,
}


def table(*rows, **more):
    given_rows = [{**dict.fromkeys(COLUMNS), "country": "CN", **row, **more} for row in rows]
    return pl.DataFrame(given_rows, schema=COLUMNS).lazy()


def firm(id_, name=None, **more):
    place = {"city": "深圳", "lon": 113.9, "lat": 22.5, "precision_km": 1.0}
    return {"id": id_, "name": name or f"公司{id_}", **place, **more}


def told(before, after, **options):
    """Counts, and the differences as (kind, id, attribute, before, after)."""
    parts = []
    summary = compare(before, after, FIRMS, write=parts.append, **options)
    rows = pl.concat(parts)
    assert dict(rows.schema) == CHANGES
    assert summary.before + summary.new - summary.gone == summary.after
    return summary, sorted(rows.select("kind", "id", "attribute", "before", "after").rows(), key=str)


def test_each_kind_of_change_is_told_with_what_was_and_what_is():
    before = table(
        firm("o1"),
        firm("o2", "甲 公司"),
        firm("o3", industry_code="6513"),
        firm("o4"),
        firm("o5", employees=5),
        firm("o6"),
        firm("o7", "老名"),
        firm("o9", lon=None, lat=None, precision_km=None),
    )
    after = table(
        firm("o1"),
        firm("o2", "甲公司"),  # a space only: no other name
        firm("o3", industry_code="3911"),
        firm("o4", lon=114.5, city="东莞"),
        firm("o5", employees=None),
        firm("o7", "新名"),
        firm("o8"),
        firm("o9"),
    )
    summary, rows = told(before, after)
    assert rows == sorted(
        [
            ("changed", "o2", "name", "甲 公司", "甲公司"),
            ("reclassified", "o3", "industry_code", "6513", "3911"),
            ("moved", "o4", "place", "113.9, 22.5", "114.5, 22.5"),
            ("changed", "o4", "city", "深圳", "东莞"),
            ("changed", "o5", "employees", "5", None),
            ("gone", "o6", None, None, None),
            ("renamed", "o7", "name", "老名", "新名"),
            ("new", "o8", None, None, None),
            ("changed", "o9", "place", None, "113.9, 22.5"),
        ],
        key=str,
    )
    assert (summary.new, summary.gone, summary.moved, summary.renamed, summary.reclassified, summary.changed) == (
        1,
        1,
        1,
        1,
        1,
        4,
    )
    # 6513 is application software, 3911 complete computers
    assert summary.divisions == (("03", "01", 1),)
    assert summary.unchanged == 1
    assert summary.examples["moved"][0].km == pytest.approx(61.6, abs=0.1)


def described(*rows):
    """Firms that say what they do, and perhaps of which class they are."""
    types = COLUMNS | {"main_business": pl.String, "digital_code": pl.String}
    return pl.DataFrame([{**dict.fromkeys(types), "country": "CN", **row} for row in rows], schema=types).lazy()


def test_a_class_that_only_texts_tell_can_change():
    chips, cars = "集成电路芯片的设计", "汽车修理"
    before = described(firm("o1", main_business=chips), firm("o2", main_business=cars), firm("o3", main_business="x"))
    after = described(
        firm("o1", main_business=cars), firm("o2", main_business=f"{cars}与维护"), firm("o4", main_business=chips)
    )
    changes, rows = told(before, after)
    assert next(row[:3] for row in rows if row[0] == "reclassified") == ("reclassified", "o1", "class")
    assert (changes.reclassified, changes.changed, changes.divisions) == (1, 2, (("03", "", 1),))
    parts: list[pl.DataFrame] = []
    compare(before, after, FIRMS, write=parts.append)
    kept = pl.concat(parts)
    assert kept.filter(kind="new")["digital_after"].str.starts_with("03").to_list() == [True]
    assert kept.filter(kind="reclassified")["digital_before"].str.starts_with("03").to_list() == [True]


def test_a_class_that_the_register_gives_counts_before_any_text():
    before = described(
        firm("o1", digital_code="0101", industry_code="6513"), firm("o2", main_business="集成电路芯片的设计")
    )
    after = described(firm("o1", digital_code="0301", industry_code="3911"), firm("o2", main_business=None))
    changes, rows = told(before, after)
    assert changes.divisions == (("01", "03", 1), ("03", "", 1))
    assert [row[1:3] for row in rows if row[0] == "reclassified"] == [
        ("o1", "digital_code"),
        ("o1", "industry_code"),
        ("o2", "class"),
    ]
    assert changes.reclassified == 2


def test_a_place_within_its_own_error_has_not_moved():
    """At 22.5° N, 0.01° of longitude are 1.03 km."""
    before = table(firm("o1", precision_km=2.0), firm("o2", precision_km=0.5))
    after = table(firm("o1", lon=113.91, precision_km=0.5), firm("o2", lon=113.91, precision_km=0.5))
    assert [(row[0], row[1]) for row in told(before, after)[1]] == [("moved", "o2")]


def test_who_is_who_under_another_id():
    before = table(
        firm("o1", "甲", uscc="A"),
        firm("o2", "甲分公司", uscc="B"),
        firm("o3", "乙", uscc="C"),
        firm("o4", "丙"),
        firm("o5", "丁", uscc="D"),
        firm("o6", "戊", uscc="E"),
        firm("o9", "同名", uscc="P"),
    )
    after = table(
        firm("o1", "甲", uscc="B"),  # o2 went into it: its code is there now
        firm("o3", "乙", uscc="C"),
        firm("o7", "丙", city="东莞"),  # the only one of that name before and after
        firm("o5", "丁改", uscc="F"),
        firm("o8", "丁", uscc="D"),  # came out of o5, which had this code
        firm("o6", "戊", uscc="E"),
        firm("o10", "同名", uscc="Q"),  # another code: another firm, whatever its name
    )
    summary, rows = told(before, after)
    assert [row for row in rows if row[0] in {"merged", "split", "renumbered"}] == [
        ("merged", "o2", "uscc", "o2", "o1"),
        ("renumbered", "o7", "name", "o4", "o7"),
        ("split", "o8", "uscc", "o5", "o8"),
    ]
    assert (summary.new, summary.gone, summary.merged, summary.split, summary.renumbered) == (3, 3, 1, 1, 1)


def test_of_too_many_new_rows_nobody_asks_who_they_are(monkeypatch):
    monkeypatch.setattr(changes, "_MOST_MATCHED", 1)
    summary, _ = told(table(firm("o1", "甲"), firm("o2", "乙")), table(firm("o3", "甲"), firm("o4", "乙")))
    assert (summary.new, summary.gone, summary.merged, summary.renumbered) == (2, 2, None, None)


def test_tables_without_names_or_places_are_compared_too():
    links = schema("links")
    rows = pl.LazyFrame({"id": ["l1", "l2"], "source": ["a", "b"], "target": ["c", "d"], "kind": ["supply"] * 2})
    summary = compare(rows, rows.filter(pl.col("id") == "l1").with_columns(target=pl.lit("x")), links)
    assert (summary.new, summary.gone, summary.changed, summary.moved, summary.renamed, summary.reclassified) == (
        0,
        1,
        1,
        None,
        None,
        None,
    )


ROWS = st.dictionaries(
    st.integers(1, 12),
    st.tuples(
        st.sampled_from(["甲", "乙", "丙", "甲 "]),
        st.sampled_from(["A", "B", None]),
        st.sampled_from(["6513", "3911", None]),
        st.sampled_from([113.9, 114.9, None]),
    ),
    max_size=12,
)


def as_table(rows):
    return table(
        *(
            firm(f"o{k}", name, uscc=uscc, industry_code=code, lon=lon, lat=None if lon is None else 22.5)
            for k, (name, uscc, code, lon) in rows.items()
        )
    )


@given(ROWS, ROWS)
def test_every_row_is_accounted_for_once(old, new):
    summary, rows = told(as_table(old), as_table(new))
    ids = {kind: {row[1] for row in rows if row[0] == kind} for kind in KINDS}
    assert ids["new"] == {f"o{k}" for k in new.keys() - old.keys()}
    assert ids["gone"] == {f"o{k}" for k in old.keys() - new.keys()}
    same = {f"o{k}" for k in old.keys() & new.keys() if old[k] == new[k]}
    assert summary.unchanged == len(same)
    assert ids["merged"] <= ids["gone"]
    assert ids["split"] | ids["renumbered"] <= ids["new"]
    assert not ids["split"] & ids["renumbered"]
    assert not any(same & ids[kind] for kind in ("renamed", "moved", "reclassified", "changed"))
    # each way back is the way there
    back, _ = told(as_table(new), as_table(old))
    assert (back.new, back.gone, back.unchanged) == (summary.gone, summary.new, summary.unchanged)


@given(ROWS, ROWS, st.integers(1, 5))
def test_how_many_rows_are_compared_at_once_makes_no_difference(old, new, at_once):
    whole = told(as_table(old), as_table(new))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "_AT_ONCE", at_once)
        parts = told(as_table(old), as_table(new))
    assert parts[1] == whole[1]
    assert parts[0].model_dump(exclude={"examples"}) == whole[0].model_dump(exclude={"examples"})


# Stored comparisons


@pytest.fixture
def workspace(tmp_path, places):
    opened = Workspace.init(tmp_path / "ws", clock=lambda: datetime(2025, 7, 1, 8, tzinfo=UTC))
    (opened.path / "cache").symlink_to(places)
    return opened


def load(workspace, names, as_of, city="深圳"):
    firms = pl.DataFrame({"name": names, "city": [city] * len(names)})
    desk.load(LOCAL, workspace, firms, "organisations", as_of=as_of)
    return workspace.snapshot("organisations").id


def test_any_two_loads_are_compared_once_and_kept(workspace):
    first = load(workspace, ["甲", "乙"], "2025-01-01")
    with pytest.raises(UsageError, match="JQ-IMPORT-026"):
        comparing.make(LOCAL, workspace, "organisations")
    load(workspace, ["乙", "丙"], "2025-02-01")
    third = load(workspace, ["丙", "丁"], "2025-03-01")
    latest = comparing.make(LOCAL, workspace, "organisations")
    assert (latest.summary.new, latest.summary.gone) == (1, 1)
    farther = comparing.make(LOCAL, workspace, "organisations", old=first, new=third)
    assert (farther.summary.new, farther.summary.gone) == (2, 2)
    back = comparing.make(LOCAL, workspace, "organisations", old=third, new=first)
    assert (back.summary.new, back.summary.gone) == (2, 2)
    assert comparing.make(LOCAL, workspace, "organisations").result.id == latest.result.id
    assert farther.rows("new").collect()["name"].to_list() == ["丙", "丁"]
    assert farther.rows(text="丁").collect()["kind"].to_list() == ["new"]
    assert not workspace.verify()


def test_what_cannot_be_compared_is_told(workspace):
    with pytest.raises(WorkspaceError, match="JQ-STORE-006"):
        comparing.make(LOCAL, workspace, "organisations")
    first = load(workspace, ["甲"], "2025-01-01")
    for options, code in (
        ({"old": first, "new": first}, "JQ-IMPORT-027"),
        ({"old": "2020-01-01-000000000000"}, "JQ-STORE-007"),
    ):
        with pytest.raises(UsageError, match=code):
            comparing.make(LOCAL, workspace, "organisations", **options)
    with pytest.raises(PermissionDeniedError):
        comparing.make(Actor("m", frozenset({"member"})), workspace, "organisations")


def test_a_derived_snapshot_is_compared_with_the_round_before(workspace):
    """What is made from a load (`base`) is of one round with it."""
    first = load(workspace, ["甲"], "2025-01-01")
    second = load(workspace, ["甲", "乙"], "2025-02-01")
    with workspace.new_snapshot("organisations", as_of="2025-02-01", source="x") as writer:
        writer.write(workspace.scan("organisations", second).with_columns(name=pl.col("name") + "改").collect())
        writer.summary = {"base": second}
    assert comparing.between(workspace, "organisations", None, None)[0].id == first


def test_a_load_that_was_placed_anew_is_compared_with_the_load_before_as_it_was_at_last(workspace):
    def placed_anew(snapshot, day, to):
        with workspace.new_snapshot("organisations", as_of=day, source="x") as writer:
            writer.write(workspace.scan("organisations", snapshot).with_columns(city=pl.lit(to)).collect())
            writer.summary = {"derived": {"from": snapshot}}
        return workspace.snapshot("organisations").id

    first = placed_anew(load(workspace, ["甲"], "2025-01-01"), "2025-01-01", "深圳")
    second = load(workspace, ["甲", "乙"], "2025-02-01")
    last = placed_anew(placed_anew(second, "2025-02-01", "苏州"), "2025-02-01", "北京")
    before, after = comparing.between(workspace, "organisations", None, None)
    assert (before.id, after.id) == (first, last)


def searched(workspace, snapshot, members, *, kind="clusters", number=0):
    """A stored search as the atlas stores one: cluster → ids of members, and a square outline about (114, 22.5)."""
    clusters = pl.DataFrame(
        {
            "cluster_id": list(members),
            "name_zh": [f"集群{k}" for k in members],
            "name_en": [f"Cluster {k}" for k in members],
            "firms": [len(ids) for ids in members.values()],
            "hull_wkt": [
                f"POLYGON (({x} 22, {x + 1} 22, {x + 1} 23, {x} 23, {x} 22))" for x in range(113, 113 + len(members))
            ],
        }
    )
    rows = [(id_, cluster) for cluster, ids in members.items() for id_ in ids]
    found = pl.DataFrame(rows, schema={"id": pl.String, "cluster_id": pl.String}, orient="row")
    inputs = (Source("organisations", workspace.snapshot("organisations", snapshot).digest),)
    lineage = Lineage("atlas.find_clusters", "1", {"number": number}, inputs)
    workspace.put_result(kind, lineage, {"clusters": clusters, "members": found}, {})


def written(workspace, rows, as_of):
    with workspace.new_snapshot("organisations", as_of=as_of, source="t.csv") as writer:
        writer.write(rows.collect())
    return workspace.snapshot("organisations").id


def test_the_effect_on_clusters_is_estimated_until_both_loads_were_searched(workspace):
    first = written(workspace, table(firm("o1"), firm("o2"), firm("o3", lon=114.5), firm("o4")), "2025-01-01")
    second = written(
        workspace,
        table(
            firm("o1"),
            firm("o3", lon=113.5),  # from c2 to c1
            firm("o4", lon=120.0),  # out of c1 and of all
            firm("o5", lon=114.2),  # into c2
            firm("o6", lon=121.0),
        ),
        "2025-02-01",
    )
    compared = comparing.make(LOCAL, workspace, "organisations")
    assert effects(workspace, compared) == ()
    searched(workspace, first, {"c1": ["o1", "o2", "o4"], "c2": ["o3"]})
    (estimate,) = effects(workspace, compared)
    assert (estimate.how, estimate.digital, estimate.unclustered) == ("estimated", None, 2)
    assert [(c.cluster, c.before, c.gained, c.lost, c.after) for c in estimate.clusters] == [
        ("c1", 3, 1, 2, 2),
        ("c2", 1, 1, 1, 1),
    ]
    searched(workspace, second, {"c1": ["o1", "o3"], "c3": ["o5", "o6"]}, number=1)
    (found,) = effects(workspace, compared)
    assert found.how == "found"
    assert [(c.cluster, c.before, c.gained, c.lost, c.after) for c in found.clusters] == [
        ("c1", 3, 1, 2, 2),
        ("c3", None, 2, 0, 2),
        ("c2", 1, 0, 1, None),
    ]


def test_of_a_class_only_its_firms_count(workspace):
    first = written(workspace, table(firm("o1", industry_code="3911"), firm("o2", industry_code="6513")), "2025-01-01")
    written(
        workspace,
        table(
            firm("o1", industry_code="6513"),  # leaves division 01
            firm("o2", industry_code="3911"),  # enters it
            firm("o3", industry_code="3911"),
            firm("o4", industry_code="6513"),
        ),
        "2025-02-01",
    )
    searched(workspace, first, {"c1": ["o1"]}, kind="clusters-01")
    (estimate,) = effects(workspace, comparing.make(LOCAL, workspace, "organisations"))
    assert (estimate.digital, estimate.unclustered) == ("01", 0)
    assert [(c.cluster, c.gained, c.lost, c.after) for c in estimate.clusters] == [("c1", 2, 1, 2)]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_exports_hold_every_change_and_nothing_that_runs(workspace, tmp_path, suffix):
    load(workspace, ["甲"], "2025-01-01")
    load(workspace, ["甲", "+1+cmd|' /C calc'!A0", "乙"], "2025-02-01")
    compared = comparing.make(LOCAL, workspace, "organisations")
    compared.export(tmp_path / f"t{suffix}", "new")
    if suffix == ".csv":
        rows = pl.read_csv(tmp_path / "t.csv", infer_schema=False)
        assert rows["name"].to_list() == ["'+1+cmd|' /C calc'!A0", "乙"]
    else:
        rows = pl.read_excel(tmp_path / "t.xlsx")
    assert (rows.height, set(rows["kind"])) == (2, {"new"})
    assert rows.columns == list(CHANGES)
    compared.export(tmp_path / f"none{suffix}", "merged")
    if suffix == ".csv":
        assert pl.read_csv(tmp_path / "none.csv").columns == list(CHANGES)
    else:
        assert pl.read_excel(tmp_path / "none.xlsx", raise_if_empty=False).is_empty()


def test_the_command(workspace):
    run = CliRunner()
    at = ["-w", str(workspace.path)]
    first = load(workspace, ["甲", "乙"], "2025-01-01")
    refused = run.invoke(assembled("changes"), ["changes", "organisations", *at])
    assert (refused.exit_code, type(refused.exception)) in {(1, UsageError), (2, SystemExit)}
    load(workspace, ["乙", "丙"], "2025-02-01")
    load(workspace, ["丙", "丁"], "2025-03-01")
    shown = run.invoke(assembled("changes"), ["changes", "organisations", *at], env={"JIQUN_LANG": "en"})
    assert shown.exit_code == 0, shown.output
    assert "run jiqun atlas to see the effect" in shown.stdout
    listed = run.invoke(assembled("changes"), ["changes", "organisations", "--from", first, "-f", "csv", *at])
    assert listed.stdout.splitlines()[0] == ",".join(CHANGES)
    assert len(listed.stdout.splitlines()) == 5
    told_json = json.loads(
        run.invoke(assembled("changes"), ["changes", "organisations", "--from", first, "-f", "json", *at]).stdout
    )
    assert told_json["summary"]["new"] == len([c for c in told_json["changes"] if c["kind"] == "new"]) == 2
    one = run.invoke(assembled("changes"), ["changes", "organisations", "--kind", "gone", "-f", "csv", *at])
    assert len(one.stdout.splitlines()) == 2
