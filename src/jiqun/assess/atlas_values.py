"""What the atlas computes of each cluster of a run for an indicator 图谱指标: from member rows, classes, links and chains.

Each maker returns a row for every cluster for which the value is known, or says in words why none is. Where a published
definition leaves a choice open, the choice is ours and stands in `how`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from jiqun.assess.ailments.kinds import FIRM, KINDS, member_kind
from jiqun.assess.ailments.risks import COVERED, tagged
from jiqun.assess.ailments.risks import LEAST_FIRMS as LEAST_TAGGED
from jiqun.assess.ailments.unconnected import CHANCE, LEAST_LINKS
from jiqun.assess.diagnosis import kind_name
from jiqun.assess.diagnosis_parts import Given
from jiqun.assess.parks_desk import Assessed, assessed
from jiqun.assess.vacancy import area_shares
from jiqun.atlas import chain_desk
from jiqun.atlas.chain_places import OPEN, UNKNOWN
from jiqun.atlas.chain_records import kept as kept_chains
from jiqun.atlas.chain_strength import MOST_UNDECIDED
from jiqun.atlas.core_shares import shares_of
from jiqun.atlas.industry_space import complexity, relatedness_density
from jiqun.atlas.leaders import CRITERIA, chain_leaders
from jiqun.atlas.measured import LEAST_CLASSED, LEAST_FIRMS, one_class
from jiqun.atlas.network_desk import KIND as NETWORK
from jiqun.atlas.network_desk import directed_links
from jiqun.atlas.reading import Run
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, WorkspaceError
from jiqun.core.lineage import Source
from jiqun.intake.counted import counted
from jiqun.store import StoredResult, Workspace

PREFECTURE = 4
"""Digits of a division code that name a prefecture-level city 地级市: links across it cross the administrative border."""
LEAST_CLUSTERS = 10
"""Ours: of fewer clusters it cannot be told which classes go together."""
LEAST_DEPENDING = 3
"""Ours: one customer that names one supplier would make of that one a chain leader."""
LEAST_OF_PARK, HALF_OF_PARK = 3, 0.5
"""Ours: of a park's matched tenants, so many and such a share must be members of the cluster that it is counted to."""
VALUE = {"cluster_id": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class Reading:
    """A run and what else the workspace knows of its clusters."""

    workspace: Workspace
    run: Run

    @property
    def register(self) -> str:
        """Digest of the register that was searched."""
        return self.run.result.lineage.inputs[0].digest

    @cached_property
    def members(self) -> pl.DataFrame:
        """cluster_id, id of every member."""
        return self.coded.select("cluster_id", "id").unique()

    @cached_property
    def coded(self) -> pl.DataFrame:
        """cluster_id, id, digital_code of every member, the code in full and null where it has none."""
        path = self.run.result.path / "members.parquet"
        try:
            return pl.scan_parquet(path, glob=False).select("cluster_id", "id", "digital_code").unique().collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise WorkspaceError("JQ-STORE-016", path=path) from error

    @cached_property
    def organisations(self) -> pl.LazyFrame | None:
        """The register that was searched, without rows in review; None where the workspace no longer has it."""
        snapshot = self.run.snapshot(self.workspace)
        return counted(self.workspace, snapshot.id) if snapshot else None

    @cached_property
    def one_class(self) -> bool:
        """Whether the run, or the register that was searched, is of a single class."""
        if self.run.digital is not None:
            return True
        snapshot = self.run.snapshot(self.workspace)
        return snapshot is not None and one_class(self.workspace, snapshot.id)

    @cached_property
    def core(self) -> StoredResult | None:
        """The judgement of core industries, if it is of the register that was searched."""
        return self._fitting("core-share")

    @cached_property
    def diagnosis(self) -> StoredResult | None:
        """The latest diagnosis of the class that was searched, for the tables that a user gave it."""
        return self.workspace.result(kind_name(self.run.digital))

    @cached_property
    def parks(self) -> Assessed | None:
        """The latest assessment of parks, whether or not it is of what is loaded and was searched."""
        return assessed(self.workspace)

    @cached_property
    def network(self) -> StoredResult | None:
        """The analysis of links, if it looked at this run."""
        found = self.workspace.result(NETWORK)
        return found if found and found.values.get("map_run") == self.run.id else None

    @cached_property
    def answered(self) -> pl.DataFrame:
        """Members of the clusters whose links are known: all but those of a survey that too few of its members answered."""
        if self.network is None:
            return self.members.clear()
        residuals = self.network.table("residuals").select("cluster_id", "reason")
        told = residuals.filter(~pl.col("reason").is_in(["response", "response unknown"]).fill_null(value=False))
        return self.members.join(told, on="cluster_id", how="semi")

    @cached_property
    def chains(self) -> dict[str, tuple[StoredResult, int]]:
        """The chains on which the firms of this register stand, with the number of their nodes."""
        found = {}
        for name, one in kept_chains(self.workspace).items():
            result = chain_desk.placed(self.workspace, one.chain)
            if result and result.lineage.inputs[0].digest == self.register:
                found[name] = (result, len(one.chain.nodes))
        return found

    @cached_property
    def on_chain(self) -> pl.DataFrame:
        """cluster_id, nodes, held, single: of each cluster on the chain on which most of its members stand.

        Left out: clusters none of whose members stand on a chain, and those of whose members too many are undecided.
        """
        parts = []
        for name, (result, nodes) in sorted(self.chains.items()):
            states = self.members.join(result.table("states"), on="id")
            undecided = states.group_by("cluster_id").agg(undecided=pl.col("state").is_in([OPEN, UNKNOWN]).mean())
            at = self.members.join(result.table("at").select("id", "node").unique(), on="id")
            held = (
                at.group_by("cluster_id", "node")
                .agg(firms=pl.col("id").n_unique())
                .group_by("cluster_id")
                .agg(held=pl.len(), single=(pl.col("firms") == 1).sum())
            )
            placed = at.group_by("cluster_id").agg(placed=pl.col("id").n_unique())
            parts.append(
                held.join(placed, on="cluster_id")
                .join(undecided, on="cluster_id")
                .filter(pl.col("undecided") <= MOST_UNDECIDED)
                .with_columns(chain=pl.lit(name), nodes=pl.lit(nodes))
            )
        if not parts:
            return pl.DataFrame(
                schema={"cluster_id": pl.String, "held": pl.Int64, "single": pl.Int64, "nodes": pl.Int64}
            )
        best = pl.concat(parts).sort("placed", "chain", descending=[True, False])
        return best.group_by("cluster_id", maintain_order=True).first()

    def _fitting(self, kind: str) -> StoredResult | None:
        found = self.workspace.result(kind)
        return found if found and found.lineage.inputs[0].digest == self.register else None

    def sources(self) -> dict[str, Source]:
        """What values may rest on, by name: the run, and the results beside it that fit it."""
        found = {"run": Source(self.run.result.kind, self.run.id, self.run.as_of)}
        for name, result in (("core", self.core), ("network", self.network), ("diagnosis", self.diagnosis)):
            if result:
                found[name] = Source(result.kind, result.id, self.run.as_of)
        if self.parks:
            found["parks"] = Source(self.parks.result.kind, self.parks.result.id, str(self.parks.values["as_of"]))
        for name, (result, _) in self.chains.items():
            found[f"chain {name}"] = Source(result.kind, result.id, self.run.as_of)
        return found


Answer = pl.DataFrame | Text
"""cluster_id and value, or why there is none."""


@dataclass(frozen=True)
class AtlasIndicator:
    """How the atlas computes an indicator; `by_rows`: from member rows alone, so that it follows the cluster boundary."""

    how: Text
    make: Callable[[Reading], Answer]
    rests_on: str
    by_rows: bool


_NOT_JUDGED = Text(
    "核心产业未按这份名录判定：先运行“jiqun atlas core-share”或在核心产业页上判定。",
    "Core industries are not judged for this register: run `jiqun atlas core-share`, or judge them on the page of core industries.",
)
_ONE_CLASS = Text(
    "这次识别只含一个类别的企业，核心产业占比没有意义。",
    "This run holds firms of one class only: a share of core industries says nothing.",
)
_NO_NETWORK = Text(
    "没有以这次识别为准的网络分析：装载关联后在网络页上分析。",
    "There is no analysis of links for this run: load links and analyse them on the page of the network.",
)
_NOT_ANSWERED = Text(
    "关联来自调查，而每个集群的应答都太少，或不知道谁应答了。",
    "Links come from a survey that too few members of every cluster answered, or of which it is not known who did.",
)
_NO_REGISTER = Text("工作区里已没有所识别的那份名录。", "The workspace no longer has the register that was searched.")
_NO_CHAINS = Text(
    "企业尚未对到产业链上，或未知者过多。", "Firms are not placed on any chain yet, or too many of them are undecided."
)


def _core_share(reading: Reading) -> Answer:
    found = _core(reading)
    return found if isinstance(found, Text) else _rows(found[0], pl.col("share") * 100)


def _lq_core(reading: Reading) -> Answer:
    found = _core(reading)
    if isinstance(found, Text):
        return found
    shares, whole = found
    if not whole:
        return Text(
            "名录整体的核心产业占比未知或为 0。", "The share of core industries in the whole register is unknown or 0."
        )
    return _rows(shares, pl.col("share") / whole)


def _core(reading: Reading) -> tuple[pl.DataFrame, float | None] | Text:
    if reading.run.digital is not None:
        return _ONE_CLASS
    if reading.core is None:
        return _NOT_JUDGED
    firms = reading.core.table("firms").select("id", inside="narrow", size=pl.lit(1.0))
    held = reading.members.join(firms, on="id").rename({"cluster_id": "group"})
    whole = shares_of(firms.with_columns(group=pl.lit("all")), "narrow")["share"]
    return shares_of(held, "narrow").rename({"group": "cluster_id"}), whole[0] if len(whole) else None


def _beyond_chance(reading: Reading) -> Answer:
    return _rows(reading.run.clusters, pl.col("ratio"))


def _chain_nodes(reading: Reading) -> Answer:
    return _rows(reading.on_chain, 100 * pl.col("held") / pl.col("nodes")) if reading.on_chain.height else _NO_CHAINS


def _single_dependence(reading: Reading) -> Answer:
    return _rows(reading.on_chain, 100 * pl.col("single") / pl.col("held")) if reading.on_chain.height else _NO_CHAINS


def _complexity(reading: Reading) -> Answer:
    try:
        found = complexity(reading.run.classes(), region="cluster_id", industry="digital_code", size="n")
    except MeasureInputError as error:
        return Text(error.render("zh").partition("\n")[0], error.render("en").partition("\n")[0])
    return _rows(found.regions, pl.col("eci"))


def _variety(reading: Reading) -> Answer:
    cells = reading.run.classes()
    if cells.is_empty():
        return Text("成员没有类别。", "Members have no class.")
    share = pl.col("n") / pl.col("n").sum().over("cluster_id")
    return cells.with_columns(share=share).group_by("cluster_id").agg(value=1 / (pl.col("share") ** 2).sum())


def _related_density(reading: Reading) -> Answer:
    # classes of few firms and clusters with few classed members do not say what a cluster has: as for regions
    cells = reading.run.classes().filter(pl.col("n").sum().over("digital_code") >= LEAST_FIRMS)
    cells = cells.filter(pl.col("n").sum().over("cluster_id") >= LEAST_CLASSED)
    clusters = cells["cluster_id"].n_unique()
    if clusters < LEAST_CLUSTERS:
        return Text(
            f"只有 {clusters} 个集群有 {LEAST_CLASSED} 个以上已归类成员：少于 {LEAST_CLUSTERS} 个时看不出哪些类别相伴。",
            f"Clusters with {LEAST_CLASSED} classed members or more: {clusters}. Of fewer than {LEAST_CLUSTERS} it cannot be told which classes go together.",
        )
    found = relatedness_density(cells, region="cluster_id", industry="digital_code", size="n")
    lacking = found.filter(~pl.col("has")).group_by("cluster_id").agg(pl.col("density").mean())
    return _rows(lacking, 100 * pl.col("density"))


def _kinds_of_member(reading: Reading) -> Answer:
    if reading.one_class:
        return Text(
            "这次识别只含一个类别的企业，不说明有哪些机构。",
            "This run holds firms of one class only: which institutions are there it does not say.",
        )
    if reading.organisations is None:
        return _NO_REGISTER
    named = reading.organisations.select("id", member_kind(pl.col("name"))).unique("id").collect().drop_nulls()
    members = reading.members.join(named, on="id")
    sizes = members.group_by("cluster_id").agg(n=pl.len())
    if sizes.is_empty():
        return Text("成员没有名称。", "Members have no name.")
    share = {str(kind): n / named.height for kind, n in named.group_by("kind").len().iter_rows()}
    # a kind so rare that most clusters would lack it by chance tells none from another
    told = [kind for kind in (*KINDS, FIRM) if (1 - share.get(kind, 0.0)) ** sizes["n"].median() < CHANCE]
    if not set(told) - {FIRM}:
        return Text(
            "名录所收高校、院所、基金、协会太少，集群中没有也不足为奇。",
            "The register has so few universities, institutes, funds and associations that none in a cluster is no news.",
        )
    rarest = min(share[kind] for kind in told)
    found = members.group_by("cluster_id").agg(kinds=pl.col("kind").filter(pl.col("kind").is_in(told)).n_unique())
    large = sizes.filter((1 - rarest) ** pl.col("n") < CHANCE)
    return _rows(large.join(found, on="cluster_id"), 100 * pl.col("kinds") / len(told))


def _emerging_share(reading: Reading) -> Answer:
    tags = Given.of(reading.diagnosis).tags
    if tags is None:
        return Text(
            "诊断时没有产业标签：在“诊断用表”页给出(或用“jiqun assess diagnose --tags”)，再诊断一次(code、tag：traditional、emerging、future)。",
            "The diagnosis had no tags of industries: give them on its page “What you give to the diagnosis” (or with `jiqun assess diagnose --tags`; code, "
            "tag: traditional, emerging, future), then diagnose.",
        )
    tag = pl.col("tag")
    found = (
        reading.coded.with_columns(tag=tagged(reading.coded["digital_code"], tags))
        .group_by("cluster_id")
        .agg(members=pl.len(), told=tag.count(), new=tag.is_in(["emerging", "future"]).sum())
        .filter((pl.col("told") >= LEAST_TAGGED) & (pl.col("told") >= COVERED * pl.col("members")))
    )
    if found.is_empty():
        return Text(
            f"没有集群有 {LEAST_TAGGED} 个、且占一半以上的成员带产业标签。",
            f"No cluster has {LEAST_TAGGED} members, and half of them, with a tag of their industry.",
        )
    return _rows(found, 100 * pl.col("new") / pl.col("told"))


def _occupancy(reading: Reading) -> Answer:
    told = reading.parks
    if told is None:
        return Text(
            "载体还没有评估：装载载体后运行“jiqun parks assess”。",
            "Parks are not assessed: load carriers, then run `jiqun parks assess`.",
        )
    if not told.current or reading.register not in {one.digest for one in told.result.lineage.inputs}:
        return Text(
            "载体评估所用的载体或名录不是现在装载、识别过的那份：识别集群后再运行“jiqun parks assess”。",
            "The assessment of parks is of other carriers than are loaded, or another register than was searched: search, then run `jiqun parks assess` again.",
        )
    tenants = told.of("tenants").select("park_id", id="organisation").drop_nulls("id")
    matched = tenants.group_by("park_id").len("matched")
    most = tenants.join(reading.members, on="id").group_by("park_id", "cluster_id").len("n")
    most = most.join(matched, on="park_id").filter(
        pl.col("n") >= LEAST_OF_PARK, pl.col("n") >= HALF_OF_PARK * pl.col("matched")
    )
    if most.is_empty():
        return Text(
            f"没有园区有 {LEAST_OF_PARK} 家以上、且占已匹配租户一半以上的租户是同一集群的成员。",
            f"In no park are {LEAST_OF_PARK} tenants, and half of those matched, members of one cluster.",
        )
    most = most.sort("n", "cluster_id", descending=[True, False])
    areas = told.parks(reading.workspace).found.parks.select("total_m2", "let_m2", "open_m2", park_id="id")
    parks = most.unique("park_id", keep="first", maintain_order=True).join(areas, on="park_id")
    found = _rows(
        parks.group_by("cluster_id").agg(pl.col("total_m2", "let_m2", "open_m2").sum()), 100 * area_shares()["share"]
    )
    if found.is_empty():
        return Text(
            "没有一个集群，其园区至少一半的面积知道是否已租。",
            "In no cluster is it known of half of the area of its parks whether it is let.",
        )
    return found


def _net_entry(reading: Reading) -> Answer:
    before = reading.run.before(reading.workspace)
    if before is None:
        return Text(
            "没有可比的前一次识别：装载另一日期的名录后以同样参数再识别一次。",
            "There is no earlier run to compare with: load a register of another date and search again with the same settings.",
        )
    firms = before.clusters.select(previous="cluster_id", then="firms")
    kin = reading.run.clusters.filter(pl.col("event").is_in(["continued", "merged"]))
    found = (
        kin.select("cluster_id", "firms", "previous")
        .explode("previous")
        .join(firms, on="previous", how="left")
        .group_by("cluster_id")
        .agg(pl.col("firms").first(), then=pl.col("then").sum(), gone=pl.col("then").is_null().any())
        .filter(~pl.col("gone") & (pl.col("then") > 0))
    )
    return _rows(found, 100 * (pl.col("firms") - pl.col("then")) / pl.col("then"))


def _linkage(reading: Reading) -> Answer:
    if reading.network is None:
        return _NO_NETWORK
    told = reading.network.table("residuals").filter(pl.col("finding") != "unknown")
    if told.is_empty():
        return Text("联系强度残差对每个集群都未知。", "The linkage residual is unknown for every cluster.")
    return _rows(told, pl.col("ratio") - 1)


def _cross_links(reading: Reading) -> Answer:
    if reading.network is None:
        return _NO_NETWORK
    snapshot = reading.run.snapshot(reading.workspace)
    there = reading.workspace.scan("organisations", snapshot.id) if snapshot else None
    if there is None or "region_code" not in there.collect_schema():
        return Text("名录没有行政区划代码。", "The register has no codes of administrative divisions.")
    city = pl.col("region_code").str.slice(0, PREFECTURE)
    where = there.select("id", city=pl.when(city.str.len_chars() == PREFECTURE).then(city)).unique("id").collect()
    ends = reading.network.table("nodes").select("node", "id").join(where, on="id").drop_nulls("city")
    links = (
        reading.network.table("links")
        .join(ends.rename({"node": "source", "id": "from", "city": "city_from"}), on="source")
        .join(ends.rename({"node": "target", "id": "to", "city": "city_to"}), on="target")
        .select("from", "to", cross=pl.col("city_from") != pl.col("city_to"))
        .with_row_index("link")
    )
    touched = pl.concat([links.select("link", "cross", id=side) for side in ("from", "to")])
    found = (
        touched.join(reading.members, on="id")
        .unique(["link", "cluster_id"])
        .group_by("cluster_id")
        .agg(pl.col("cross").mean())
    )
    if found.is_empty():
        return Text("没有两端行政区划都已知的关联。", "There is no link of which the divisions of both ends are known.")
    return _rows(found, 100 * pl.col("cross"))


def _chain_leaders(reading: Reading) -> Answer:
    if reading.network is None:
        return _NO_NETWORK
    if reading.answered.is_empty():
        return _NOT_ANSWERED
    tied = ("customers", "customers_half", "suppliers", "suppliers_half")
    nodes = reading.network.table("nodes").drop_nulls("id").select("id", *CRITERIA, *tied)
    ends = (pl.col("customers") + pl.col("suppliers")).sum().over("cluster_id")
    members = reading.answered.join(nodes, on="id").filter(ends >= LEAST_LINKS)
    if members.is_empty():
        return Text(
            f"没有集群的成员合计有 {LEAST_LINKS} 个以上已知的客户和供应方。",
            f"In no cluster do members have {LEAST_LINKS} known customers and suppliers together.",
        )
    depended_on = pl.max_horizontal("customers_half", "suppliers_half") >= LEAST_DEPENDING
    first = chain_leaders(members, by="cluster_id", top=1)
    return _rows(first.group_by("cluster_id").agg(leaders=depended_on.sum()), pl.col("leaders"))


def _reciprocity(reading: Reading) -> Answer:
    if reading.network is None:
        return _NO_NETWORK
    if reading.answered.is_empty():
        return _NOT_ANSWERED
    ways = directed_links(reading.workspace, reading.network)
    if ways is None:
        return Text(
            "工作区里已没有网络分析所读的关联、名录或编号对照：再分析一次。",
            "The workspace no longer has the links, register or identifiers that the analysis of links read: analyse again.",
        )
    own = reading.answered
    inside = ways.join(own.rename({"id": "source"}), on="source").join(
        own.rename({"id": "target"}), on=["target", "cluster_id"]
    )
    inside = inside.filter(pl.len().over("cluster_id") >= LEAST_LINKS)
    if inside.is_empty():
        return Text(
            f"没有集群内部有 {LEAST_LINKS} 条以上有方向的关联。",
            f"No cluster has {LEAST_LINKS} links with a direction inside it.",
        )
    back = inside.select("cluster_id", source="target", target="source", returned=pl.lit(value=True))
    paired = inside.join(back, on=["cluster_id", "source", "target"], how="left")
    share = pl.col("returned").fill_null(value=False).mean()
    return _rows(paired.group_by("cluster_id").agg(returned=share), 100 * pl.col("returned"))


def _rows(frame: pl.DataFrame, value: pl.Expr) -> pl.DataFrame:
    return frame.select("cluster_id", value=value.cast(pl.Float64)).drop_nulls()


ATLAS_INDICATORS: Mapping[str, AtlasIndicator] = {
    "lq_core": AtlasIndicator(
        Text(
            "成员中核心产业(窄口径)企业占比 ÷ 全名录的占比；按企业数",
            "share of core-industry firms (narrow) among members ÷ that of the whole register; firms count alike",
        ),
        _lq_core, "core", by_rows=True,
    ),
    "core_share": AtlasIndicator(
        Text("成员中核心产业(窄口径)企业占比；按企业数", "share of core-industry firms (narrow) among members, by firms"),
        _core_share, "core", by_rows=True,
    ),
    "beyond_chance": AtlasIndicator(
        Text("企业数 ÷ 随机分布下的期望数", "firms ÷ the number expected by chance"), _beyond_chance, "run", by_rows=True
    ),
    "chain_nodes": AtlasIndicator(
        Text(
            "有成员的环节 ÷ 全部环节；取成员最多的那条产业链(我们的选择)",
            "nodes with members ÷ all nodes, on the chain on which most members stand (our choice)",
        ),
        _chain_nodes, "chain", by_rows=True,
    ),
    "single_dependence": AtlasIndicator(
        Text(
            "只有一家企业的环节 ÷ 有企业的环节；取成员最多的那条产业链(我们的选择)",
            "nodes with one firm ÷ nodes with firms, on the chain on which most members stand (our choice)",
        ),
        _single_dependence, "chain", by_rows=True,
    ),
    "complexity": AtlasIndicator(
        Text("集群 × 四位类别的经济复杂度(ECI)", "economic complexity (ECI) of clusters × classes of four digits"),
        _complexity, "run", by_rows=True,
    ),
    "variety": AtlasIndicator(
        Text("1 ÷ 四位类别占比的平方和", "1 ÷ the sum of squared shares of classes of four digits"), _variety, "run", by_rows=True
    ),
    "related_density": AtlasIndicator(
        Text(
            "集群所缺(区位商 < 1)四位类别的关联密度的平均；类别间关联按同在一个集群；不计企业少于 5 家的类别和已归类成员少于 10 个的集群(我们的选择)",
            "mean relatedness density of the four-digit classes it lacks (LQ < 1), related by sharing clusters; classes of ≥ 5 firms, clusters of ≥ 10 classed members (ours)",
        ),
        _related_density, "run", by_rows=True,
    ),
    "kinds_of_member": AtlasIndicator(
        Text(
            "企业、高校、院所、基金、协会中集群已有的种类；按名称用词判定；名录所收太少的种类，以及小到按机会也会缺某一种类(5%)的集群不计(我们的选择)",
            "kinds it has of firms, universities, institutes, funds, associations, by words of names; without kinds too rare and clusters too small to tell (5 %; ours)",
        ),
        _kinds_of_member, "run", by_rows=True,
    ),
    "emerging_share": AtlasIndicator(
        Text(
            "带新兴或未来产业标签的成员 ÷ 带产业标签的成员；标签由诊断时给出；少于 30 个或不到一半成员有标签的集群不计",
            "members with the tag emerging or future ÷ members with a tag; tags as given to the diagnosis; not where fewer than 30 members, or less than "
            "half, have one",
        ),
        _emerging_share, "diagnosis", by_rows=True,
    ),
    "occupancy": AtlasIndicator(
        Text(
            "集群各园区已租面积之和 ÷ 知道是否已租的面积之和，截至载体评估之日；园区归入其已匹配租户至少一半且至少三家所属的集群；一半以上面积未知的集群不计(我们的选择)",
            "let ÷ known area on the day parks were assessed for; a park is of the cluster of half of its matched tenants, at least 3; not below half known (ours)",
        ),
        _occupancy, "parks", by_rows=True,
    ),
    "net_entry": AtlasIndicator(
        Text(
            "与前一次识别相比的企业净增长；只对延续与合并的集群",
            "firms against the run before; of clusters that continued or merged",
        ),
        _net_entry, "run", by_rows=False,
    ),
    "linkage": AtlasIndicator(
        Text(
            "观测联系 ÷ 引力模型期望 − 1；未知者不计",
            "links observed ÷ those that gravity lets expect − 1; not where the finding is unknown",
        ),
        _linkage, "network", by_rows=False,
    ),
    "cross_links": AtlasIndicator(
        Text(
            "两端不在同一地级市的关联 ÷ 两端区划已知的关联",
            "links whose ends lie in different prefecture-level cities ÷ links with both divisions known",
        ),
        _cross_links, "network", by_rows=False,
    ),
    "chain_leaders": AtlasIndicator(
        Text(
            "链主排名第一(无他者全面领先)、且至少三个客户或三个供应方各有一半依赖它的成员数；成员的已知客户和供应方合计少于 20 个的集群不计(我们的选择)",
            "first-rank chain leaders on which 3 customers, or 3 suppliers, depend for half; not where members have fewer than 20 customers and suppliers (ours)",
        ),
        _chain_leaders, "network", by_rows=False,
    ),
    "reciprocity": AtlasIndicator(
        Text(
            "集群内部得到回应的关联 ÷ 内部关联；只计有方向的种类，每对每个方向一次；内部少于 20 条的集群不计(我们的选择)",
            "links inside the cluster that are returned ÷ all inside; only kinds with a direction, each way of a pair once; not with fewer than 20 of them "
            "(our choice)",
        ),
        _reciprocity, "network", by_rows=False,
    ),
}  # fmt: skip
"""By code. What is not here the atlas does not compute of a cluster, whatever the framework names as its origin."""
NOT_COMPUTED = Text(
    "图谱不按集群计算它：作为指标装载。", "The atlas does not compute it by cluster: load it as an indicator."
)


def atlas_value(reading: Reading, code: str) -> Answer:
    """cluster_id and value of an indicator, or why there is none 图谱指标值."""
    known = ATLAS_INDICATORS.get(code)
    if known is None:
        return NOT_COMPUTED
    found = known.make(reading)
    if isinstance(found, Text):
        return found
    if found.is_empty():
        return Text("对每个集群都未知。", "Unknown for every cluster.")
    return found.select(pl.col(name).cast(kind) for name, kind in VALUE.items())
