"""A small document with every kind of block, one that is hostile everywhere, and a strict reader of pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from html.parser import HTMLParser

from jiqun.core.document import (
    Bar,
    Bars,
    Bubble,
    Column,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Legend,
    Map,
    Paragraph,
    Section,
    Shape,
    Table,
    Text,
)
from jiqun.core.lineage import Lineage, Source
from jiqun.core.text import visible

CITIES = (
    ("圣何塞", "San Jose", -121.89, 37.34, 1420),
    ("首尔", "Seoul", 126.98, 37.57, 1108),
    ("深圳", "Shenzhen", 114.06, 22.54, 855),
    ("台北", "Taipei", 121.53, 25.05, 640),
    ("北京", "Beijing", 116.40, 39.90, 520),
    ("东京", "Tokyo", 139.69, 35.69, 410),
    ("剑桥", "Cambridge", 0.12, 52.21, 160),
    ("慕尼黑", "Munich", 11.58, 48.14, 120),
    ("奥克兰", "Auckland", 174.76, -36.85, 40),
    ("圣保罗", "São Paulo", -46.63, -23.55, 30),
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    "]]></style></script><!--",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#x3C;",
    "\u202egpj.exe\u202c \u2066x\u2069",
    "a\x00b\x1bc\ud800d\uffff",
    "=HYPERLINK(\"http://x\",\"y\")",
    "名" * 10_000,
    "#panic(1) *b* $x$ @ref // \\ `code` #eval(\"1\")",
    "{{ 7 * 7 }} {% raw %} {_{ x }_}",
    "مرحبا 👩‍💻 😀",
    "",
)  # fmt: skip
VOID = {"meta", "input", "br", "hr", "col", "link", "img"}


def bubbles(anchors: bool = True) -> tuple[Bubble, ...]:
    return tuple(
        Bubble(
            lon,
            lat,
            firms,
            i / len(CITIES),
            Text(zh, en),
            Text(f"{firms} 家", f"{firms} firms"),
            f"c{i}" if anchors else "",
        )
        for i, (zh, en, lon, lat, firms) in enumerate(CITIES)
    )


def ranking(id_: str = "clusters") -> Table:
    columns = (
        Column("rank", Text("名次", "#"), "integer"),
        Column("cluster", Text("集群", "Cluster")),
        Column("firms", Text("企业数", "Firms"), "integer"),
        Column("ratio", Text("相对期望", "× expected"), "ratio"),
        Column("p", Text("p 值", "p value"), "probability"),
        Column("coarse", Text("位置粗略的比例", "Coarsely located"), "share", 0),
    )
    rows = [
        (i + 1, Text(zh, en), firms, 53.2 / (i + 1), 1e-6, None if i == 2 else 0.25)
        for i, (zh, en, _, _, firms) in enumerate(CITIES)
    ]
    links = tuple(f"c{i}" for i in range(len(CITIES)))
    source = Text("登记表", "Registry")
    return Table(
        id_, Text("集群排名", "Clusters ranked"), columns, rows, source, "2024-05", Text("附注", "A note"), links
    )


def members(id_: str) -> Table:
    columns = (Column("name", Text("名称", "Name")), Column("code", Text("代码", "Code"), "code"))
    rows = [("=cmd|' /C calc'!A0", "00:1A"), ("Ubiquiti", "24:A4")]
    return Table(id_, Text("成员", "Members"), columns, rows, Text("登记表", "Registry"), "2024-05")


def document(map_bubbles: tuple[Bubble, ...] | None = None) -> Document:
    legend = Legend(
        Text("企业数", "firms"),
        Text("与期望之比", "times expectation"),
        ((0.0, Text("×1", "×1")), (1.0, Text("×60", "×60"))),
        Text("一家企业", "one firm"),
    )
    sections = []
    for i, (zh, en, lon, lat, firms) in enumerate(CITIES):
        hull = ((lon - 0.2, lat - 0.1), (lon + 0.2, lat - 0.1), (lon, lat + 0.2))
        local = Map(
            (Bubble(lon, lat, 5, 0.5, Text(zh, en), Text("", "")),),
            (Shape((hull,), Text("边界", "Outline")),),
            (lon - 0.2, lat - 0.1, lon + 0.2, lat + 0.2),
            [(lon + k / 100, lat + k / 200) for k in range(-9, 10)],
            legend,
        )
        title, measure = Text(f"{zh}的成员", f"Members of {en}"), Text("企业数", "Number of firms")
        blocks = (
            Paragraph(Text(f"{zh}有 {firms} 家。", f"{en} has {firms}.")),
            Figure(f"c{i}-map", title, measure, local, members(f"c{i}-t")),
        )
        sections.append(Section(f"c{i}", Text(f"{zh}领先", f"{en} leads"), blocks))
    bars = Bars(
        (Bar(Text("通信设备", "Communication"), 5.3, 4.4, 6.4), Bar(Text("软件", "Software"), -0.5)),
        Text("倍", "times"),
        1.0,
        Text("整体", "overall"),
        "ratio",
    )
    world = Map(map_bubbles or bubbles(), legend=legend)
    figures = (KeyFigure(Text("129 个", "129"), Text("集群", "Clusters"), Text("不定", "varies")),)
    return Document(
        Text("产业集群", "Industry clusters"),
        Text("登记表之一", "From one registry"),
        (
            Paragraph(Text("圣何塞居首。", "San Jose comes first."), "lead"),
            Paragraph(Text("登记有遗漏。", "The registry has gaps."), "caution"),
            KeyFigures(figures),
            Figure("world", Text("东亚领先", "East Asia leads"), Text("企业数", "Firms"), world, ranking()),
            ranking(),
            Figure("bars", Text("通信突出", "Communication stands out"), Text("区位熵", "LQ"), bars, members("bars-t")),
            Section("all", Text("全部集群", "All clusters"), tuple(sections)),
        ),
        Lineage("atlas.find_clusters", "1", {"eps_km": 20.0}, (Source("organisations", "ab" * 32, "2024-05"),)),
        (Text("地名：GeoNames", "Names: GeoNames"),),
    )


def everywhere(zh: str, en: str) -> Document:
    """A document that puts the same two strings into every place that takes one."""
    text = Text(zh, en)
    hull = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    columns = (Column("k", text), Column(zh or "k2", text, "code"), Column("n", text, "number"))
    table = Table("t", text, columns, [(zh, text, en), (text, en, None)], text, zh, text)
    world = Map((Bubble(0.5, 0.5, 3, 0.5, text, text, "s"),), (Shape((hull,), text),), None, [(0.5, 0.5)])
    bars = Bars((Bar(text, 1.0, 0.5, 2.0),), text, 1.0, text)
    return Document(
        text,
        text,
        (
            Paragraph(text, "lead"),
            Paragraph(text, "caution"),
            KeyFigures((KeyFigure(text, text, text),)),
            table,
            Figure("f", text, text, world, table),
            Figure("g", text, text, replace(world, extent=(0, 0, 1, 1)), replace(table, id="u")),
            Figure("h", text, text, bars, replace(table, id="v")),
            Section("s", text, (Section("s2", text, ()),)),
            Section("s3", text, ()),
        ),
        Lineage(zh, en, {zh: en, "list": [zh]}, (Source(zh, en, zh),))
        if visible(zh + en) == zh + en
        else Lineage("m", "1"),
        (text,),
    )


def texts(part: object) -> Iterator[Text]:
    """Every text in a document, wherever it stands."""
    if isinstance(part, Text):
        yield part
    elif is_dataclass(part):
        for each in fields(part):
            yield from texts(getattr(part, each.name))
    elif isinstance(part, (tuple, list)):
        for each in part:
            yield from texts(each)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None
    content: list[str | Element] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        return [part for part in self.content if isinstance(part, Element)]

    def all(self, tag: str = "") -> Iterator[Element]:
        for child in self.children:
            if not tag or child.tag == tag:
                yield child
            yield from child.all(tag)

    def words(self, without: str = "") -> str:
        """Its text and that of its descendants, without those marked with the language `without`."""
        return "".join(
            part if isinstance(part, str) else part.words(without)
            for part in self.content
            if isinstance(part, str) or not without or part.attributes.get("lang") != without
        )

    def of_class(self, name: str) -> list[Element]:
        return [each for each in self.all() if name in each.attributes.get("class", "").split()]


class Reader(HTMLParser):
    """Builds the tree and refuses what a lenient browser would mend: open tags, stray ends, double attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        new = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.content.append(new)
        if tag not in VOID:
            self.at = new

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is not written here")

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.content.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError("a declaration")


def read(page: str) -> Element:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.at is reader.root, f"<{reader.at.tag}> is never closed"
    (root,) = reader.root.children
    return root
