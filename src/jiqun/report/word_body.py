"""What a report says, as WordprocessingML 正文: paragraphs, tables and pictures in named styles.

Elements come from `jiqun.report.markup`, so every text is escaped by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil

from jiqun.report.labels import columns
from jiqun.report.markup import Html, element, join
from jiqun.report.picture import Picture
from jiqun.report.plain import Align, Drawing, Grid, Heading, Item, Keys, Plain, Words

PARAGRAPHS = (
    "Heading 1",
    "Heading 2",
    "Heading 3",
    "Caption",
    "Jiqun Lead",
    "Jiqun Caution",
    "Jiqun Picture",
    "Jiqun Measure",
    "Jiqun Small",
    "Jiqun Key Value",
    "Jiqun Head",
    "Jiqun Head Right",
    "Jiqun Cell",
    "Jiqun Number",
    "Jiqun Code",
)
TABLES = ("Jiqun Table", "Jiqun Figures")
NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
}

_TWIP_EMU = 635
_SWATCH_EMU = 110_000
_ACROSS = 5
_CELL_STYLE: Mapping[Align, str] = {"left": "Jiqun Cell", "right": "Jiqun Number", "code": "Jiqun Code"}


def w(tag: str, *children: str, **attributes: str | int) -> Html:
    """An element of WordprocessingML, whose attributes are in its namespace too."""
    return element(f"w:{tag}", *children, **{f"w:{name}": str(value) for name, value in attributes.items()})


def run(text: str) -> Html:
    """Words."""
    return w("r", element("w:t", text, **{"xml:space": "preserve"}))


@dataclass(frozen=True)
class Body:
    """Writes the body of one report.

    Parameters
    ----------
    styles
        The id of each style by name.
    embed
        Takes a picture into the file; the id of the relation.
    width
        Of the text, in twips (1/20 point).
    """

    told: Plain
    styles: Mapping[str, str]
    embed: Callable[[Picture], str]
    width: int
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def written(self, without: Sequence[Item]) -> Html:
        """Everything but these items; then lineage and attributions."""
        apart = {id(item) for item in without}
        parts = [self.item(item) for item in self.told.items if id(item) not in apart]
        return join([*parts, *self._lineage()])

    def item(self, item: Item) -> Html:
        """One of the things that are said."""
        return join(self._item(item))

    def _item(self, item: Item) -> list[Html]:
        match item:
            case Words():
                return [self._words(item)]
            case Heading():
                return [self._heading(item.text, item.level)]
            case Keys():
                return self._keys(item)
            case Drawing():
                return self._drawing(item)
            case Grid():
                return self._grid(item)

    def _paragraph(self, style: str | None, *content: str) -> Html:
        properties = [w("pPr", w("pStyle", val=self.styles[style]))] if style else []
        return w("p", *properties, *content)

    def _words(self, item: Words) -> Html:
        if item.kind == "caution":
            word = {"zh": "注意　", "en": "Caution  "}[self.told.language]
            strong = w("r", w("rPr", w("b")), element("w:t", word, **{"xml:space": "preserve"}))
            return self._paragraph("Jiqun Caution", strong, run(item.text))
        return self._paragraph("Jiqun Lead" if item.kind == "lead" else None, run(item.text))

    def _heading(self, text: str, level: int) -> Html:
        return self._paragraph(f"Heading {min(level, 3)}", run(text))

    def _keys(self, item: Keys) -> list[Html]:
        across = max(1, len(item.figures)) if len(item.figures) <= _ACROSS else _ACROSS - 1
        widths = [self.width // across] * across
        rows = []
        for start in range(0, len(item.figures), across):
            shown = item.figures[start : start + across]
            cells = [
                [
                    self._paragraph("Jiqun Small", run(figure.name)),
                    self._paragraph("Jiqun Key Value", run(figure.value)),
                    *([self._paragraph("Jiqun Small", run(figure.note))] if figure.note else []),
                ]
                for figure in shown
            ]
            cells += [[self._paragraph("Jiqun Small")]] * (across - len(shown))
            rows.append(_row(cells, widths))
        return [self._table("Jiqun Figures", widths, rows, heads=False), self._paragraph("Jiqun Small")]

    def _drawing(self, item: Drawing) -> list[Html]:
        zh = self.told.language == "zh"
        picture = item.picture
        wide = int(self.width * _TWIP_EMU * item.across)
        high = int(wide * picture.height / picture.width)
        parts = [
            self._caption("图" if zh else "Figure", item.number, item.title),
            self._paragraph("Jiqun Measure", run(item.measure)),
            self._paragraph("Jiqun Picture", self._image(picture, wide, high, f"{item.title} {item.measure}")),
        ]
        if item.legend:
            runs: list[Html] = []
            for entry in item.legend:
                runs += [run(piece) if isinstance(piece, str) else self._swatch(piece) for piece in entry]
                runs.append(run("　　" if zh else "     "))
            parts.append(self._paragraph("Jiqun Small", *runs[:-1]))
        if item.source:
            see = f"。数据见表 {item.table}" if zh else f". Numbers in table {item.table}"
            parts.append(self._paragraph("Jiqun Small", run(item.source + see)))
        return parts

    def _caption(self, word: str, number: int, title: str) -> Html:
        """A numbered caption that Word counts itself, so that a list of figures or tables can be made of it."""
        counter = w("fldSimple", run(str(number)), instr=f" SEQ {word} \\* ARABIC ")
        return self._paragraph("Caption", run(f"{word} "), counter, run(f"  {title}"))

    def _grid(self, item: Grid) -> list[Html]:
        zh = self.told.language == "zh"
        widths = [int(self.width * want / sum(item.wants)) for want in item.wants]
        sides = ["Jiqun Head Right" if align == "right" else "Jiqun Head" for align in item.align]
        heads = [[self._paragraph(side, run(head))] for side, head in zip(sides, item.heads, strict=True)]
        head = _row(heads, widths, repeated=True)
        styles = [_CELL_STYLE[align] for align in item.align]
        rows = [
            _row([[self._paragraph(style, run(cell))] for style, cell in zip(styles, row, strict=True)], widths)
            for row in item.rows
        ]
        if not rows:
            nothing = [[self._paragraph("Jiqun Cell", run("没有记录。" if zh else "No rows."))]]
            rows = [_row(nothing, [sum(widths)], span=len(widths))]
        return [
            self._caption("表" if zh else "Table", item.number, item.title),
            self._table("Jiqun Table", widths, [head, *rows], heads=True),
            *([self._paragraph("Jiqun Small", run(item.note))] if item.note else []),
            self._paragraph("Jiqun Small", run(item.source)),
        ]

    def _table(self, style: str, widths: list[int], rows: list[Html], *, heads: bool) -> Html:
        properties = w(
            "tblPr",
            w("tblStyle", val=self.styles[style]),
            w("tblW", w=sum(widths), type="dxa"),
            w("tblLayout", type="fixed"),
            w("tblLook", val="0020" if heads else "0000", firstRow=int(heads), noHBand=1, noVBand=1),
        )
        return w("tbl", properties, w("tblGrid", *(w("gridCol", w=width) for width in widths)), *rows)

    def _swatch(self, picture: Picture) -> Html:
        return self._image(picture, _SWATCH_EMU, _SWATCH_EMU, "")

    def _image(self, picture: Picture, wide: int, high: int, told: str) -> Html:
        number = next(self._ids)
        size = {"cx": str(wide), "cy": str(high)}
        name = {"id": str(number), "name": f"Picture {number}"}
        blip = element("a:blip", **{"r:embed": self.embed(picture)})
        shape = element(
            "pic:spPr",
            element("a:xfrm", element("a:off", x="0", y="0"), element("a:ext", **size)),
            element("a:prstGeom", element("a:avLst"), prst="rect"),
        )
        pic = element(
            "pic:pic",
            element("pic:nvPicPr", element("pic:cNvPr", **name), element("pic:cNvPicPr")),
            element("pic:blipFill", blip, element("a:stretch", element("a:fillRect"))),
            shape,
        )
        inline = element(
            "wp:inline",
            element("wp:extent", **size),
            element("wp:docPr", descr=told, **name),
            element("a:graphic", element("a:graphicData", pic, uri=NAMESPACES["pic"])),
            distT="0",
            distB="0",
            distL="0",
            distR="0",
        )
        spaces = {f"xmlns:{prefix}": uri for prefix, uri in NAMESPACES.items()}
        return w("r", element("w:drawing", inline, **spaces))

    def _lineage(self) -> list[Html]:
        told = self.told
        name = min(ceil(max(columns(fact.name) for fact in told.facts)) * 190, self.width // 3)
        widths = [name, self.width - name]
        rows = []
        for fact in told.facts:
            words = [self._paragraph("Jiqun Cell", run(fact.words))] if fact.words else []
            code = [self._paragraph("Jiqun Code", run(fact.code))] if fact.code or not words else []
            rows.append(_row([[self._paragraph("Jiqun Head", run(fact.name))], words + code], widths))
        return [
            self._heading(told.lineage_title, 1),
            self._paragraph(None, run(told.lineage_words)),
            self._table("Jiqun Table", widths, rows, heads=False),
            *(self._paragraph("Jiqun Small", run(line)) for line in told.attributions),
        ]


def _row(cells: list[list[Html]], widths: list[int], *, repeated: bool = False, span: int = 1) -> Html:
    properties = w("trPr", w("cantSplit"), *([w("tblHeader")] if repeated else []))
    spanned = [w("gridSpan", val=span)] if span > 1 else []
    return w(
        "tr",
        properties,
        *(
            w("tc", w("tcPr", w("tcW", w=width, type="dxa"), *spanned), *cell)
            for cell, width in zip(cells, widths, strict=True)
        ),
    )
