"""Industry chains as data 产业链: nodes from upstream to downstream, what flows between them, and where each is known from.

A chain is a TOML file (`data/chains/`, a workspace's folder `chains`) or a revision that the editor stored. Whatever it
comes from, it passes the same check; every problem is a coded error that names file and node, and all are collected.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError

from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError
from jiqun.core.lineage import canonical_json
from jiqun.core.operation import Model
from jiqun.taxonomy import EDITION, GBT, canonical, industry_name, suggest
from jiqun.taxonomy import name as digital_name
from jiqun.taxonomy.products import written
from jiqun.taxonomy.tables import digital_entries

Stage = Literal["upstream", "midstream", "downstream"]
STAGES: tuple[Stage, ...] = get_args(Stage)
STAGE_NAMES: dict[Stage, Text] = {
    "upstream": Text("上游", "Upstream"),
    "midstream": Text("中游", "Midstream"),
    "downstream": Text("下游", "Downstream"),
}
PART = "*"
"""Behind a code: only some of its firms belong."""
MOST_NODES = 300
MOST_EDGES = 5000
MOST_WORDS = 100
LARGEST_FILE = 500_000
ID = r"^[a-z][a-z0-9-]{0,39}$"
_CITED = re.compile(rf"(?:{re.escape(GBT)}|{re.escape(EDITION)}):[^\s;；]+")
Name = Annotated[str, Field(min_length=1, max_length=80)]
Word = Annotated[str, Field(min_length=2, max_length=60)]
Words = Annotated[tuple[Word, ...], Field(max_length=MOST_WORDS)]
Codes = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(max_length=40)]
Id = Annotated[str, Field(pattern=ID)]


class Node(Model):
    """One node of a chain 环节.

    `digital` and `gbt` are codes whose firms belong here; of a code with an asterisk behind it, as in the official table,
    only some do. `words_*` are what its firms say that they make: they decide where codes leave a choice.
    """

    id: Id
    zh: Name
    en: Name
    stage: Stage
    digital: Codes = ()
    gbt: Codes = ()
    words_zh: Words = ()
    words_en: Words = ()
    source: Annotated[str, Field(max_length=400)] = ""
    status: Literal["grounded", "draft"] = "grounded"

    @property
    def title(self) -> Text:
        """Its name."""
        return Text(self.zh, self.en)

    @property
    def words(self) -> tuple[str, ...]:
        """Its product words in both languages."""
        return (*self.words_zh, *self.words_en)


class Edge(Model):
    """What flows from one node to another 边; in TOML its ends are `from` and `to`."""

    start: Id
    end: Id
    zh: Annotated[str, Field(max_length=80)] = ""
    en: Annotated[str, Field(max_length=80)] = ""

    @property
    def flow(self) -> Text:
        """What flows."""
        return Text(self.zh or self.en, self.en or self.zh)


class Chain(Model):
    """An industry chain 产业链. `layered`: it has no circles and never runs back to an earlier stage."""

    id: Id
    zh: Name
    en: Name
    version: Annotated[str, Field(min_length=1, max_length=40)]
    about_zh: Annotated[str, Field(max_length=600)] = ""
    about_en: Annotated[str, Field(max_length=600)] = ""
    layered: bool = True
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=MOST_NODES)]
    edges: Annotated[tuple[Edge, ...], Field(max_length=MOST_EDGES)] = ()

    @property
    def title(self) -> Text:
        """Its name."""
        return Text(self.zh, self.en)

    @property
    def digest(self) -> str:
        """sha256 of its content, in hex: what was computed with it names it so."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json"))).hexdigest()

    @property
    def drafts(self) -> int:
        """How many nodes have no ground yet."""
        return sum(node.status == "draft" for node in self.nodes)

    def node(self, wanted: str) -> Node:
        """One of its nodes.

        Raises
        ------
        InputError
            JQ-CHAIN-014: it has no such node.
        """
        for node in self.nodes:
            if node.id == wanted:
                return node
        known = ", ".join(node.id for node in self.nodes)
        raise InputError("JQ-CHAIN-014", chain=self.id, value=wanted[:60], known=known)


@dataclass(frozen=True)
class Checked:
    """A chain as far as it could be read 检查结果, and every problem that it has."""

    chain: Chain | None
    problems: tuple[JiqunError, ...]


def parse_chain(text: str, file: str = "—") -> Chain:
    """A chain from TOML 读产业链.

    Raises
    ------
    InputError
        JQ-CHAIN-001: no TOML; -002 to -008: the only problem, with its place; -009: several, naming the first.

    Examples
    --------
    >>> text = '''id = "chips"
    ... zh = "芯片"
    ... en = "Chips"
    ... version = "1"
    ... [[node]]
    ... id = "fab"
    ... zh = "晶圆制造"
    ... en = "Wafer fabrication"
    ... stage = "midstream"
    ... gbt = ["3973"]
    ... source = "GB/T 4754-2017:3973"
    ... '''
    >>> parse_chain(text).node("fab").title.en
    'Wafer fabrication'
    """
    return settled(check_toml(text, file), file)


def settled(checked: Checked, file: str) -> Chain:
    """The chain of a check without problems; raises as `parse_chain`."""
    if checked.chain is None or checked.problems:
        first, *more = checked.problems
        if more:
            raise InputError("JQ-CHAIN-009", file=file, count=len(more) + 1, first=str(first).partition("\n")[0])
        raise first
    return checked.chain


def check_toml(text: str, file: str = "—") -> Checked:
    """Every problem of a chain in TOML 检查."""
    try:
        if len(text) > LARGEST_FILE:
            raise ValueError(f"{len(text)} > {LARGEST_FILE}")
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return Checked(None, (InputError("JQ-CHAIN-001", file=file, reason=str(error)[:200]),))
    body = {name: value for name, value in raw.items() if name not in {"node", "edge"}}
    body |= {"nodes": raw.get("node", []), "edges": [_ends(edge) for edge in _listed(raw.get("edge", []))]}
    return check_body(body, file)


def check_body(body: Any, file: str = "—") -> Checked:
    """Every problem of a chain that is written as `Chain` is 检查."""
    try:
        chain = Chain.model_validate(body)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False, include_context=False)
        return Checked(None, tuple(_wrong(body, one, file) for one in told[:100]))
    return Checked(chain, tuple(_problems(chain, file)))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _ends(edge: Any) -> Any:
    """An edge with `from` and `to` under the model's names."""
    if not isinstance(edge, Mapping):
        return edge
    names = {"from": "start", "to": "end"}
    return {names.get(name, name): value for name, value in edge.items() if name not in names.values()}


def _wrong(body: Any, told: Mapping[str, Any], file: str) -> InputError:
    """What a validator refused, at the node or edge where it stands."""
    path = [str(part) for part in told["loc"]]
    place = ""
    if len(path) > 1 and path[0] in {"nodes", "edges"} and path[1].isdigit():
        at = int(path[1])
        item = body[path[0]][at]
        name = item.get("id") if isinstance(item, Mapping) else None
        place = f"{path[0][:-1]} {str(name)[:60] if name else at + 1}"
        path = path[2:] or path[:1]
    names = {"start": "from", "end": "to", "nodes": "node", "edges": "edge"}
    field = ".".join(names.get(part, part) for part in path) or "—"
    return InputError("JQ-CHAIN-002", file=file, place=place, field=field, reason=told["msg"])


def _problems(chain: Chain, file: str) -> Iterator[InputError]:
    yield from _doubled(chain, file)
    known = {node.id: node for node in chain.nodes}
    for node in chain.nodes:
        yield from _unknown_codes(node, file)
        if node.status != "draft" and not node.source.strip():
            yield InputError("JQ-CHAIN-006", file=file, node=node.id)
    sound = True
    for edge in chain.edges:
        for end in (edge.start, edge.end):
            if end not in known:
                sound = False
                yield InputError("JQ-CHAIN-004", file=file, edge=_shown(edge), node=end, known=", ".join(known))
    if not (chain.layered and sound):
        return
    for edge in chain.edges:
        start, end = known[edge.start].stage, known[edge.end].stage
        if STAGES.index(start) > STAGES.index(end):
            yield InputError("JQ-CHAIN-008", file=file, edge=_shown(edge), start_stage=start, end_stage=end)
    circle = find_circle([node.id for node in chain.nodes], [(edge.start, edge.end) for edge in chain.edges])
    if circle:
        yield InputError("JQ-CHAIN-005", file=file, path=" → ".join((*circle, circle[0])))


def _shown(edge: Edge) -> str:
    return f"{edge.start} → {edge.end}"


def _doubled(chain: Chain, file: str) -> Iterator[InputError]:
    ids: dict[str, int] = {}
    words: dict[str, str] = {}
    edges: dict[str, int] = {}
    for at, node in enumerate(chain.nodes, 1):
        if ids.setdefault(node.id, at) != at:
            yield InputError(
                "JQ-CHAIN-007", file=file, place=f"node {at}", value=node.id, before=f"node {ids[node.id]}"
            )
        for word in dict.fromkeys(written(node.words)):
            if words.setdefault(word, node.id) != node.id:
                before = f"node {words[word]}"
                yield InputError("JQ-CHAIN-007", file=file, place=f"node {node.id}", value=word, before=before)
    for at, edge in enumerate(chain.edges, 1):
        if edges.setdefault(_shown(edge), at) != at:
            before = f"edge {edges[_shown(edge)]}"
            yield InputError("JQ-CHAIN-007", file=file, place=f"edge {at}", value=_shown(edge), before=before)


def _unknown_codes(node: Node, file: str) -> Iterator[InputError]:
    cited = _CITED.findall(node.source)
    gbt = (*node.gbt, *(one.removeprefix(f"{GBT}:") for one in cited if one.startswith(GBT)))
    digital = (*node.digital, *(one for one in cited if one.startswith(EDITION)))
    for code in dict.fromkeys(one.removesuffix(PART) for one in gbt):
        if canonical(code) is None:
            near = suggest(code) or "—"
            yield InputError(
                "JQ-CHAIN-003", file=file, node=node.id, value=code, scheme=GBT, expected="3985, 397, C39", near=near
            )
    for code in dict.fromkeys(one.removesuffix(PART) for one in digital):
        bare = code.removeprefix(f"{EDITION}:")
        if bare not in digital_entries():
            near = next((bare[:n] for n in (4, 2) if bare[:n] in digital_entries()), "—")
            yield InputError(
                "JQ-CHAIN-003", file=file, node=node.id, value=code, scheme=EDITION, expected="010516, 0105", near=near
            )


def find_circle(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Nodes that go round in a circle, in order; none where there is no circle 找环.

    Examples
    --------
    >>> find_circle("abc", [("a", "b"), ("b", "c"), ("c", "b")])
    ('b', 'c')
    """
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for start, end in edges:
        after[start].append(end)
    state = dict.fromkeys(after, 0)
    for root in after:
        trail: list[str] = []
        stack = [(root, False)] if state[root] == 0 else []
        while stack:
            node, left = stack.pop()
            if left:
                state[node] = 2
                trail.pop()
                continue
            if state[node]:
                continue
            state[node] = 1
            trail.append(node)
            stack.append((node, True))
            for following in after[node]:
                if state[following] == 1:
                    return tuple(trail[trail.index(following) :])
                if state[following] == 0:
                    stack.append((following, False))
    return ()


@dataclass(frozen=True)
class Claim:
    """A code that a node claims, without edition and asterisk; `part`: only some of its firms belong there."""

    code: str
    part: bool


def claims(node: Node) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """The codes that a node claims: of GB/T 4754-2017, and of the digital classification."""

    def told(written: str) -> Claim:
        code = written.removesuffix(PART)
        return Claim(canonical(code) or code.removeprefix(f"{EDITION}:"), written.endswith(PART))

    return tuple(map(told, node.gbt)), tuple(map(told, node.digital))


def source_text(node: Node) -> Text:
    """Where a node is known from, classes with their names 来源; “draft” where it is not."""
    if node.status == "draft":
        word = Text("草稿", "draft")
        return Text(f"{word.zh}；{node.source}", f"{word.en}; {node.source}") if node.source else word

    def named(found: re.Match[str]) -> str:
        scheme, _, code = found[0].rpartition(":")
        return f"{found[0]} {industry_name(code) if scheme == GBT else digital_name(code)}"

    told = _CITED.sub(named, node.source)
    return Text(told.replace("; ", "；"), told)


_ORDER = ("digital", "gbt", "words_zh", "words_en")


def to_toml(chain: Chain) -> str:
    """A chain as a TOML file 写产业链; `parse_chain` reads it back as it was."""
    out = [f"{name} = {_quoted(getattr(chain, name))}" for name in ("id", "zh", "en", "version")]
    out += [f"{name} = {_quoted(value)}" for name in ("about_zh", "about_en") if (value := getattr(chain, name))]
    if not chain.layered:
        out.append("layered = false")
    for node in chain.nodes:
        out += ["", "[[node]]"]
        out += [f"{name} = {_quoted(getattr(node, name))}" for name in ("id", "zh", "en", "stage")]
        for name in _ORDER:
            if listed := getattr(node, name):
                out.append(f"{name} = [{', '.join(map(_quoted, listed))}]")
        if node.source:
            out.append(f"source = {_quoted(node.source)}")
        if node.status == "draft":
            out.append('status = "draft"')
    for edge in chain.edges:
        out += ["", "[[edge]]", f"from = {_quoted(edge.start)}", f"to = {_quoted(edge.end)}"]
        out += [f"{name} = {_quoted(value)}" for name in ("zh", "en") if (value := getattr(edge, name))]
    return "\n".join(out) + "\n"


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(value: str) -> str:
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in value) + '"'


TEMPLATE = """\
# An industry chain 产业链. Check it: jiqun chain check {id}
# Lines that begin with # are comments. Texts stand between straight quotation marks.
id = "{id}"
zh = "{id}"                 # name in Chinese
en = "{id}"                 # name in English
version = "1"               # raise it whenever the content changes
# layered = false           # only where goods go round in a circle

[[node]]
id = "materials"            # small letters, digits, hyphens
zh = "材料"
en = "Materials"
stage = "upstream"          # upstream 上游, midstream 中游 or downstream 下游
gbt = ["3985*"]             # GB/T 4754-2017, 2 to 4 digits: its firms belong here; with * only some of them
digital = ["010516*"]       # classification of the digital economy (2021), 2, 4 or 6 digits
words_zh = ["电子专用材料"]   # what its firms say that they make; decides where several nodes share a code
words_en = ["electronic material"]
source = "GB/T 4754-2017:3985"   # a public classification or publication; without one: status = "draft"

[[node]]
id = "product"
zh = "产品"
en = "Product"
stage = "midstream"
status = "draft"            # no source yet: shown as a draft wherever the chain is shown

[[edge]]
from = "materials"
to = "product"
zh = "材料"                  # what flows
en = "materials"
"""
"""What `jiqun chain new` writes; `{id}` is the chain's name."""
