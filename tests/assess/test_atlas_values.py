"""Indicators that the atlas computes of clusters, against small cases by hand; and where it says that it cannot."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from assess_workspace import SEARCH, SIZES, firms, load_firms

from jiqun.assess.atlas_values import ATLAS_INDICATORS, Reading, atlas_value
from jiqun.assess.desk import keep_coverage
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_parts import Given
from jiqun.assess.framework import framework_of
from jiqun.assess.panel import gather
from jiqun.atlas import desk as atlas
from jiqun.atlas import network_desk
from jiqun.atlas.leaders import CRITERIA, dependence
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL
from jiqun.core.document import Text
from jiqun.report.tables import MOST_CHARACTERS


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


@pytest.mark.parametrize(
    "code", ["related_density", "kinds_of_member", "chain_leaders", "reciprocity", "emerging_share"]
)
def test_how_it_is_computed_fits_the_cell_that_shows_it(code):
    how = ATLAS_INDICATORS[code].how
    assert max(len(how.zh), len(how.en)) <= MOST_CHARACTERS


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


FIRMS = [("f", 40), ("g", 40), ("h", 40), ("small", 6)]
"""Clusters and how many firms they have, beside institutions."""


def peopled(institutions, **more):
    """A reading of clusters of firms with institutions: (cluster or None, name)."""
    rows = [(cluster, f"{cluster}{k}", f"Acme {cluster} {k} Ltd") for cluster, n in FIRMS for k in range(n)]
    rows += [(cluster, f"i{k}", name) for k, (cluster, name) in enumerate(institutions)]
    made = reading(members=[row[:2] for row in rows if row[0]], **more)
    made.__dict__.setdefault("one_class", False)
    made.__dict__["organisations"] = pl.LazyFrame([row[1:] for row in rows], ["id", "name"], orient="row")
    return made


MANY = [("f", "Sloe University"), ("g", "Oak Research Institute")]
MANY += [(None, f"Elm {k} University") for k in range(19)] + [(None, f"Ash {k} Research Institute") for k in range(19)]


def test_kinds_of_member_are_those_that_the_register_holds_enough_of():
    # 20 of 166 are universities, 20 institutes: (1 − 20/166)^40 = 0.006; (1 − 20/166)^6 = 0.46
    found = values(peopled(MANY), "kinds_of_member")
    assert found == pytest.approx({"f": 200 / 3, "g": 200 / 3, "h": 100 / 3})
    rare = [*MANY, ("h", "Beech Industry Association")]  # one of 167: none in a cluster of 40 is no news
    assert values(peopled(rare), "kinds_of_member") == pytest.approx(found)
    # that a small cluster has all of it does not make it one that is known
    small = [*MANY, ("small", "Yew University"), ("small", "Yew Research Institute")]
    assert set(values(peopled(small), "kinds_of_member")) == {"f", "g", "h"}


def test_kinds_of_member_are_missing_where_the_register_is_of_firms():
    assert "none in a cluster is no news" in reason(peopled([]), "kinds_of_member")
    assert "none in a cluster is no news" in reason(peopled([("f", "Sloe University")]), "kinds_of_member")
    gone = peopled(MANY)
    gone.__dict__["organisations"] = None
    assert "no longer has the register" in reason(gone, "kinds_of_member")


def test_kinds_of_member_are_missing_in_runs_and_registers_of_one_class(workspace):
    assert "one class only" in reason(reading(digital="01"), "kinds_of_member")
    mixed = firms().with_columns(
        name=pl.when(pl.col("id").str.contains("[05]$")).then(pl.lit("Oak University")).otherwise("name")
    )
    load_firms(workspace, mixed, "2024-05-01")
    atlas.run(LOCAL, workspace, SEARCH)
    found = atlas_value(Reading(workspace, find_run(workspace, Which())), "kinds_of_member")
    assert found["value"].to_list() == [100] * 4  # every fifth is a university, everywhere
    load_firms(workspace, mixed.with_columns(digital_code=pl.lit("0101")), "2024-06-01")
    atlas.run(LOCAL, workspace, SEARCH)
    assert "one class only" in reason(Reading(workspace, find_run(workspace, Which())), "kinds_of_member")


def supplied(pairs, *, sizes=None, reasons=None):
    """A reading whose network has supply links (supplier, customer) between members named by cluster and number."""
    names = sorted({name for pair in pairs for name in pair[:2]})
    source, target = (np.array([names.index(pair[end]) for pair in pairs]) for end in (0, 1))
    weight = np.array([float(pair[2]) if len(pair) > 2 else 1.0 for pair in pairs])
    nodes = pl.DataFrame({"id": names, "node": range(len(names)), "cluster_id": "other"}).hstack(
        dependence(len(names), source, target, weight)
    )
    lone = [pl.lit(None, pl.Float64).alias(name) for name in CRITERIA if name not in nodes.columns]
    nodes = nodes.with_columns(lone).with_columns(size=pl.col("id").replace_strict(sizes or {}, default=1.0))
    clusters = sorted({name[0] for name in names})
    told = [(reasons or {}).get(cluster) for cluster in clusters]
    residuals = pl.DataFrame({"cluster_id": clusters, "reason": told}, schema_overrides={"reason": pl.String})
    made = reading(members=[(name[0], name) for name in names])
    made.__dict__["network"] = SimpleNamespace(table={"nodes": nodes, "residuals": residuals}.__getitem__)
    return made


# a1 supplies ten alone and a2 half of five that it shares with a3; a1 is ahead of both in everything but what is sold to it
STAR = [("a1", f"a1{k}") for k in range(10)] + [(hub, f"a2{k}") for k in range(5) for hub in ("a2", "a3")]
# b1 … b4 supply each of six alike, a quarter each; the six buy of nobody for half, and sell to nobody
EVEN = [(f"b{j}", f"b1{k}") for j in range(1, 5) for k in range(6)]


def test_chain_leaders_are_first_and_depended_on():
    big = {"a1": 9.0, "b1": 9.0}
    found = values(supplied([*STAR, *EVEN], sizes=big), "chain_leaders")
    # a: a1 is ahead of all; half of what five customers buy is of a2, and of a3, but a1 is greater and depended on by more
    # b: b1 is ahead of all, and nobody depends on it for half
    assert found == {"a": 1, "b": 0}
    # a4 sells to a1 alone: one firm is not counted twice
    assert values(supplied([*STAR, ("a4", "a1")], sizes=big), "chain_leaders") == {"a": 1}
    # three customers that depend on it make a leader, two do not: each names one supplier
    pair = [("a1", f"a1{k}") for k in range(10)] + [
        ("c1", "c2"),
        ("c1", "c3"),
        *((f"c{k}", f"c{k + 20}") for k in range(5, 15)),
    ]
    assert values(supplied(pair, sizes={"a1": 9.0, "c1": 9.0}), "chain_leaders") == {"a": 1, "c": 0}
    # a2 is greater, a1 depended on by more: nobody beats either
    assert values(supplied(STAR, sizes={"a1": 9.0, "a2": 10.0}), "chain_leaders") == {"a": 2}


def test_chain_leaders_are_missing_where_links_are_few_or_unanswered():
    few = [("c1", f"c1{k}") for k in range(9)]  # nine customers and nine suppliers
    assert values(supplied([*STAR, *few], sizes={"a1": 9.0}), "chain_leaders") == {"a": 1}
    assert "20 known customers" in reason(supplied(few), "chain_leaders")
    for why in ("response", "response unknown"):
        both = supplied([*STAR, *EVEN], sizes={"a1": 9.0, "b1": 9.0}, reasons={"b": why, "a": "few links"})
        assert values(both, "chain_leaders") == {"a": 1}
        assert "come from a survey" in reason(supplied(STAR, reasons={"a": why}), "chain_leaders")
    nothing = reading()
    nothing.__dict__["network"] = None
    assert "no analysis of links" in reason(nothing, "chain_leaders")


def industries(counts, tags=None):
    """A reading of members by (cluster, code) and their number; tags by code."""
    rows = [(cluster, f"{cluster}{code}{k}", code) for (cluster, code), n in counts.items() for k in range(n)]
    made = reading()
    made.__dict__["coded"] = pl.DataFrame(rows, ["cluster_id", "id", "digital_code"], orient="row")
    given = tags and pl.DataFrame({"code": list(tags), "tag": list(tags.values())})
    stored = SimpleNamespace(tables=("given-tags",), table={"given-tags": given}.__getitem__)
    made.__dict__["diagnosis"] = stored if tags else None
    return made


TAGS = {"01": "traditional", "0105": "emerging", "03": "future"}


def test_the_share_of_emerging_industries_is_of_tagged_members():
    counts = {
        ("a", "0101"): 20,
        ("a", "010502"): 15,
        ("a", "0301"): 5,
        ("a", "0401"): 30,
        ("a", None): 10,
        ("b", "0101"): 30,
    }
    found = values(industries(counts, TAGS), "emerging_share")
    assert found == {"a": pytest.approx(100 * 20 / 40), "b": 0}  # of a 40 of 80 have a tag
    assert set(values(industries(counts | {("a", None): 11}, TAGS), "emerging_share")) == {"b"}
    assert "30 members" in reason(industries({("b", "0101"): 29}, TAGS), "emerging_share")
    assert "--tags" in reason(industries(counts), "emerging_share")


def test_tags_are_those_that_a_diagnosis_was_given(workspace):
    made = Reading(workspace, find_run(workspace, Which()))
    assert "--tags" in reason(made, "emerging_share")
    assert "diagnosis" not in made.sources()
    tags = pl.DataFrame({"code": ["01", "03", "04"], "tag": ["traditional", "emerging", "future"]})
    everyone = firms().with_columns(digital_code=pl.col("digital_code").fill_null("0101"))
    load_firms(workspace, everyone, "2024-05-01")
    atlas.run(LOCAL, workspace, SEARCH)
    diagnose(LOCAL, workspace, DiagnoseRequest(throws=99), given=Given(tags=tags))
    made = Reading(workspace, find_run(workspace, Which()))
    assert made.sources()["diagnosis"].digest == workspace.result("diagnosis").id
    codes = dict(everyone.select("id", "digital_code").iter_rows())
    wanted = {}
    for key, part in made.members.group_by("cluster_id"):
        own = [codes[one] for one in part["id"]]
        if len(own) >= 30:
            wanted[key[0]] = 100 * sum(not code.startswith("01") for code in own) / len(own)
    assert len(wanted) == 2
    assert values(made, "emerging_share") == pytest.approx(wanted)


def test_the_reason_that_is_shown_is_that_of_now(workspace):
    """Tags that reach too few members are no source of any value, yet what is said of them must change."""

    def why():
        row = keep_coverage(workspace, gather(workspace, framework_of("health"))).table("coverage")
        return row.filter(code="emerging_share")["en"].item()

    assert "--tags" in why()
    given = Given(tags=pl.DataFrame({"code": ["0102"], "tag": ["emerging"]}))
    diagnose(LOCAL, workspace, DiagnoseRequest(throws=99), given=given)
    assert why().startswith("No cluster has 30 members")


def load_links(workspace, rows, day="2023-05-01", **more):
    """Links of source, target, kind."""
    frame = pl.DataFrame(rows, schema=["source", "target", "kind"], orient="row")
    frame = frame.with_columns(id=pl.format("l{}", pl.int_range(pl.len())), weight=pl.lit(1.0), **more)
    with workspace.new_snapshot("links", as_of=day, source="made up") as writer:
        writer.write(frame)


def ring(city, n, step=1):
    """Each firm of a city with the next but step."""
    return [(f"o-{city}-{k}", f"o-{city}-{(k + step) % n}") for k in range(n)]


def linked():
    """Of 40 ways inside Boulder 10 are returned; Grenoble has 28, none returned; Oulu 19; and kinds without direction."""
    boulder = ring("Boulder", 35)
    rows = [(*pair, "supply") for pair in boulder] + [(b, a, "of our own") for a, b in boulder[:5]]
    rows += [(*pair, "supply") for pair in boulder[:20]]  # the same again, and of another kind
    rows += [(*pair, "investment") for pair in boulder[:20]]
    rows += [(*pair, "co-invention") for pair in ring("Boulder", 40, 3) + boulder]
    rows += [(f"o-Boulder-{k}", f"o-Oulu-{k}", "supply") for k in range(20)]
    rows += [(f"o-Oulu-{k}", f"o-Boulder-{k}", "supply") for k in range(20)]
    rows += [(*pair, "supply") for pair in ring("Grenoble", 28) + ring("Oulu", 26)[:19]]
    return rows


QUICK = network_desk.Analysis(nulls=19, draws=19, filter="none")


def test_reciprocity_is_of_kinds_with_direction_inside_each_cluster(workspace):
    load_links(workspace, linked())
    network_desk.run(LOCAL, workspace, QUICK)
    made = Reading(workspace, find_run(workspace, Which()))
    city = dict(made.members.select("cluster_id", pl.col("id").str.split("-").list.get(1)).unique().iter_rows())
    assert set(city.values()) == set(SIZES)
    found = {city[key]: value for key, value in values(made, "reciprocity").items()}
    assert found == {"Boulder": pytest.approx(100 * 10 / 40), "Grenoble": 0}
    network_desk.run(LOCAL, workspace, replace(QUICK, kinds=("co-invention",)))
    assert "20 links with a direction" in reason(Reading(workspace, made.run), "reciprocity")


def test_reciprocity_is_of_the_links_that_were_analysed_and_missing_where_nobody_knows_who_answered(workspace):
    load_links(workspace, linked())
    network_desk.run(LOCAL, workspace, QUICK)
    made = Reading(workspace, find_run(workspace, Which()))
    before = values(made, "reciprocity")
    asked = pl.col("source").alias("reported_by")
    load_links(workspace, [(b, a, "supply") for a, b in ring("Boulder", 40)], "2023-06-01", reported_by=asked)
    assert values(Reading(workspace, made.run), "reciprocity") == before  # not yet analysed
    network_desk.run(LOCAL, workspace, QUICK)
    now = Reading(workspace, made.run)
    assert "not known who did" in reason(now, "reciprocity")
    assert "not known who did" in reason(now, "chain_leaders")
    network_desk.run(LOCAL, workspace, replace(QUICK, response=0.5))
    assert "too few members" in reason(Reading(workspace, made.run), "reciprocity")
    network_desk.run(LOCAL, workspace, replace(QUICK, response=0.9))
    assert set(values(Reading(workspace, made.run), "reciprocity").values()) == {0.0}
