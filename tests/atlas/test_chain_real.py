"""The semiconductor supply chain of the Emerging Technology Observatory: read beside the checkout, evaluated, never copied.

Concentration, single sources and gaps of a country are computed twice: by the chain's functions and by hand from the file.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from jiqun.atlas.chain_data import Chain, Edge, Node
from jiqun.atlas.chain_graph import ChainGraph
from jiqun.atlas.chain_places import Places, place_firms
from jiqun.atlas.chain_records import shipped
from jiqun.atlas.chain_strength import chain_gaps, chain_map

STAGE = {"S1": "upstream", "S2": "midstream", "S3": "downstream"}


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    """The data set, as it lies there."""
    found = shared_data / "real" / "chip-supply-chain-eto"
    if not found.is_dir():
        pytest.skip("the data set chip-supply-chain-eto is absent")
    return found


@pytest.fixture(scope="module")
def made(folder: Path) -> Chain:
    """Its inputs and what goes into what, as a chain; nodes without a stage are drawn upstream."""
    inputs = pl.read_csv(folder / "inputs.csv", infer_schema_length=None)
    sequence = pl.read_csv(folder / "sequence.csv").drop_nulls("goes_into_id")
    nodes = tuple(
        Node(
            id=row["input_id"].lower(),
            zh=row["input_name"],
            en=row["input_name"],
            stage=STAGE.get(row["stage_id"], "upstream"),
            status="draft",
        )
        for row in inputs.to_dicts()
    )
    edges = tuple(
        Edge(start=a.lower(), end=b.lower()) for a, b in sequence.select("input_id", "goes_into_id").unique().rows()
    )
    return Chain(id="eto", zh="eto", en="eto", version="2025", layered=False, nodes=nodes, edges=edges)


@pytest.fixture(scope="module")
def provision(folder: Path) -> pl.DataFrame:
    """What organisations provide, with the country of each: node, id, size (per cent of the world market), country."""
    providers = pl.read_csv(folder / "providers.csv").filter(provider_type="organization")
    given = pl.read_csv(folder / "provision.csv", infer_schema_length=None)
    held = given.join(providers.select("provider_id", "country"), on="provider_id", how="inner")
    return held.select(
        id="provider_id", node=pl.col("provided_id").str.to_lowercase(), size="share_provided", country="country"
    )


def placed(provision: pl.DataFrame) -> Places:
    """Provisions as places."""
    at = provision.select(
        "id", "node", by=pl.lit("code"), evidence=pl.lit(""), weight=pl.lit(None, pl.Float64), size="size"
    )
    return Places(at, at.select("id", "node").clear(), at.select("id").unique().with_columns(state=pl.lit("placed")))


def test_concentration_of_every_input_is_the_sum_of_squared_shares(made: Chain, provision: pl.DataFrame):
    """HHI = Σ s² / (Σ s)² over the organisations whose share of the market is stated and above 0."""
    found = chain_map(made, provision.select("id").unique(), places=placed(provision)).nodes
    by_hand = {}
    for (name,), part in provision.group_by("node"):
        stated = [s for s in part["size"].to_list() if s is not None and s > 0]
        by_hand[name] = sum(s * s for s in stated) / sum(stated) ** 2 if stated else None
    checked = 0
    for row in found.to_dicts():
        expected = by_hand.get(row["node"])
        assert row["hhi"] == (None if expected is None else pytest.approx(expected, rel=1e-12)), row["node"]
        checked += expected is not None
    assert checked > 60


def test_single_sources_are_those_with_one_organisation_or_one_above_half(made: Chain, provision: pl.DataFrame):
    found = chain_map(made, provision.select("id").unique(), places=placed(provision)).nodes
    by_hand = set()
    for (name,), part in provision.group_by("node"):
        stated = [s for s in part["size"].to_list() if s is not None and s > 0]
        if part["id"].n_unique() == 1 or (stated and max(stated) / sum(stated) > 0.5):
            by_hand.add(name)
    known = {node.id for node in made.nodes}
    assert set(found.filter("single")["node"]) == by_hand & known
    assert "n20" in by_hand  # one firm makes scanners for extreme ultraviolet


def test_gaps_of_a_country_are_the_inputs_that_none_of_its_organisations_provides(made: Chain, provision: pl.DataFrame):
    for country in ("CHN", "NLD"):
        own = provision.filter(country=country)
        mapped = chain_map(
            made, provision.select("id").unique(), own["id"].unique(), places=placed(provision), most_undecided=1.0
        )
        provided = set(own["node"])
        missing = mapped.nodes.filter(status="missing")["node"].to_list()
        assert set(missing) == {node.id for node in made.nodes} - provided
        gaps = chain_gaps(mapped).filter(status="missing")
        assert set(gaps["node"]) == set(missing)
        assert gaps["hangs"].is_sorted(descending=True)


def test_what_hangs_on_an_input_is_its_share_of_the_ways_by_hand(made: Chain, provision: pl.DataFrame):
    """All ways are written out here by walking the edges; the function counts them."""
    graph = ChainGraph.of(made)
    after = {i: list(graph.after[i]) for i in range(len(graph.nodes))}
    sources = [i for i in range(len(graph.nodes)) if all(i not in ends for ends in after.values())]
    end = graph.nodes.index("n99")  # the finished chip
    ways: list[list[int]] = []
    stack = [[source] for source in sources]
    while stack:
        way = stack.pop()
        if way[-1] == end:
            ways.append(way)
        stack += [[*way, following] for following in after[way[-1]]]
    assert len(ways) > 20
    for v in range(len(graph.nodes)):
        share = sum(v in way for way in ways) / len(ways) if v != end else 0.0
        assert graph.dependence[v, end] == pytest.approx(share, abs=1e-12)
    assert graph.dependence[graph.nodes.index("n78"), end] == 1.0  # nothing is finished that was not tested


def test_product_words_find_chip_makers_among_listed_firms(shared_data):
    """English summaries alone, against the Shenwan class of each firm; some of these texts were seen when words were chosen."""
    file = shared_data / "real" / "cn-listed-firms" / "firms.parquet"
    firms = pl.read_parquet(file).with_row_index("id").with_columns(pl.col("id").cast(pl.String))
    at = place_firms(shipped()["integrated-circuits"], firms.select("id", "summary")).at
    for node, classes, least_recall, least_precision in (
        ("design", ["数字芯片设计", "模拟芯片设计"], 0.65, 0.65),
        ("packaging-test", ["集成电路封测"], 0.7, 0.5),
        ("modules", ["印制电路板"], 0.6, 0.45),
    ):
        true = set(firms.filter(pl.col("sw_name").is_in(classes))["id"])
        found = set(at.filter(pl.col("node") == node)["id"])
        assert len(true & found) / len(true) >= least_recall, node
        assert len(true & found) / len(found) >= least_precision, node
