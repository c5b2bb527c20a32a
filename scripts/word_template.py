"""Make the Word template that reports are set in 报告模板: `python scripts/word_template.py`.

The result, `src/jiqun/report/templates/report.docx`, is an ordinary Word file. Offices take it as the start of their
own: change fonts, colours, header and cover in Word, keep the fields in double braces, and give it with `--template`.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import docx
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_BREAK
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.text.paragraph import Paragraph

from jiqun.report.word import steady

TARGET = Path(__file__).parents[1] / "src" / "jiqun" / "report" / "templates" / "report.docx"
INK, GREY, RULE, WATCH = "1B1B1B", "5C6066", "C9C9C4", "D55E00"
SONG, HEI, FANG = "宋体", "黑体", "仿宋"
FONTS = {
    SONG: ("SimSun", "auto", "02010600030101010101"),
    HEI: ("SimHei", "modern", "02010609060101010101"),
    FANG: ("FangSong", "modern", "02010609060101010101"),
}
KEPT = {"Normal", "Header", "Footer", "Title", "Subtitle", "Heading 1", "Heading 2", "Heading 3", "Caption"}
KEPT |= {"Default Paragraph Font", "Normal Table", "No List"}


def fonts(element: OxmlElement, latin: str, east: str) -> None:
    """Typefaces of a style: for Latin letters and for Chinese."""
    properties = element.get_or_add_rPr()
    for old in properties.xpath("w:rFonts | w:spacing | w:kern"):
        properties.remove(old)
    told = OxmlElement("w:rFonts")
    for name, value in (("ascii", latin), ("hAnsi", latin), ("eastAsia", east), ("cs", latin)):
        told.set(qn(f"w:{name}"), value)
    properties.insert(0, told)


def shape(
    style: ParagraphStyle,
    size: float,
    *,
    latin: str = "Arial",
    east: str = HEI,
    bold: bool = False,
    colour: str = INK,
    before: float = 0,
    after: float = 0,
    spacing: float = 1.15,
    keep: bool = False,
) -> ParagraphStyle:
    """Size, typefaces, colour and the room around a paragraph style."""
    fonts(style.element, latin, east)
    style.font.size, style.font.bold, style.font.italic = Pt(size), bold, False
    style.font.color.rgb = RGBColor.from_string(colour)
    room = style.paragraph_format
    room.space_before, room.space_after, room.line_spacing = Pt(before), Pt(after), spacing
    room.keep_with_next = keep
    style.hidden, style.quick_style = False, True
    return style


def bordered(style: ParagraphStyle, side: str, colour: str, eighths: int, space: int) -> None:
    """A line on one side of a paragraph."""
    properties = style.element.get_or_add_pPr()
    for old in properties.findall(qn("w:pBdr")):
        properties.remove(old)
    line = f'<w:{side} w:val="single" w:sz="{eighths}" w:space="{space}" w:color="{colour}"/>'
    properties.insert_element_before(
        parse_xml(f"<w:pBdr {nsdecls('w')}>{line}</w:pBdr>"),
        "w:shd", "w:tabs", "w:suppressAutoHyphens", "w:spacing", "w:ind", "w:jc", "w:outlineLvl",
    )  # fmt: skip


def prune(file: Document) -> None:
    """Take out the styles that nobody here uses."""
    for style in list(file.styles):
        if style.name not in KEPT:
            style.element.getparent().remove(style.element)
    there = {style.style_id for style in file.styles}
    for style in file.styles:
        for reference in style.element.xpath("w:link | w:next | w:basedOn"):
            if reference.get(qn("w:val")) not in there:
                style.element.remove(reference)


def styles(file: Document) -> None:
    """Every named style that a report is set in."""
    prune(file)
    known = file.styles
    normal = shape(known["Normal"], 10.5, latin="Times New Roman", east=SONG, after=6, spacing=1.35)
    normal.element.get_or_add_rPr().append(parse_xml(f'<w:lang {nsdecls("w")} w:val="en-GB" w:eastAsia="zh-CN"/>'))
    for name, size, before in (("Heading 1", 16, 24), ("Heading 2", 13, 18), ("Heading 3", 11, 14)):
        shape(known[name], size, bold=True, before=before, after=6, keep=True)
    bordered(known["Heading 1"], "top", INK, 12, 6)
    bordered(known["Heading 2"], "top", RULE, 6, 5)
    shape(known["Title"], 28, bold=True, before=150, after=10, spacing=1.1)
    bordered(known["Title"], "top", INK, 18, 12)
    shape(known["Subtitle"], 13, colour=GREY, after=30)
    shape(known["Caption"], 10, bold=True, before=12, after=2, keep=True)
    shape(known["Header"], 8.5, colour=GREY)
    bordered(known["Header"], "bottom", RULE, 4, 4)
    shape(known["Footer"], 8.5, colour=GREY)

    def new(name: str, size: float, **more: object) -> ParagraphStyle:
        style = known.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = known["Normal"]
        return shape(style, size, **more)

    new("Jiqun Lead", 13, latin="Times New Roman", east=FANG, before=6, after=12, spacing=1.3)
    caution = new("Jiqun Caution", 10.5, latin="Times New Roman", east=SONG, before=6, after=6, spacing=1.3)
    bordered(caution, "left", WATCH, 18, 8)
    new("Jiqun Picture", 10.5, before=4, after=4, spacing=1.0, keep=True)
    new("Jiqun Measure", 8.5, colour=GREY, after=2, keep=True)
    new("Jiqun Small", 8.5, colour=GREY, before=2, after=2)
    new("Jiqun Key Value", 18, bold=True)
    new("Jiqun Head", 8.5, colour=GREY, before=2, after=2, spacing=1.05)
    new(
        "Jiqun Head Right", 8.5, colour=GREY, before=2, after=2, spacing=1.05
    ).paragraph_format.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    new("Jiqun Cell", 9, before=2, after=2, spacing=1.05)
    new("Jiqun Number", 9, before=2, after=2, spacing=1.05).paragraph_format.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    new("Jiqun Code", 8.5, latin="Consolas", before=2, after=2, spacing=1.05)
    table_style(file, "Jiqun Table", outer=(INK, 8), inner=(RULE, 4))
    table_style(file, "Jiqun Figures", outer=(RULE, 6), inner=None)


def table_style(file: Document, name: str, *, outer: tuple[str, int], inner: tuple[str, int] | None) -> None:
    """Lines above, below and between rows, none beside; a stronger one under the heads."""
    style = file.styles.add_style(name, WD_STYLE_TYPE.TABLE)
    colour, eighths = outer
    lines = [(side, colour, eighths) for side in ("top", "bottom")]
    lines += [("insideH", *inner)] if inner else []
    borders = "".join(f'<w:{side} w:val="single" w:sz="{sz}" w:space="0" w:color="{c}"/>' for side, c, sz in lines)
    margins = "".join(f'<w:{side} w:w="{wide}" w:type="dxa"/>' for side, wide in (("left", 60), ("right", 60)))
    style.element.append(
        parse_xml(
            f"<w:tblPr {nsdecls('w')}><w:tblBorders>{borders}</w:tblBorders><w:tblCellMar>{margins}</w:tblCellMar></w:tblPr>"
        )
    )
    if inner:
        style.element.append(
            parse_xml(
                f'<w:tblStylePr {nsdecls("w")} w:type="firstRow"><w:tcPr><w:tcBorders><w:bottom w:val="single" w:sz="6" w:space="0" '
                f'w:color="{INK}"/></w:tcBorders></w:tcPr></w:tblStylePr>'
            )
        )


def field(paragraph: Paragraph, instruction: str) -> None:
    """A field that Word works out, such as the page number."""
    paragraph._p.append(  # noqa: SLF001  # python-docx has no fields
        parse_xml(f'<w:fldSimple {nsdecls("w")} w:instr=" {instruction} "><w:r><w:t>1</w:t></w:r></w:fldSimple>')
    )


def declare_fonts(file: Document) -> None:
    """Say in the font table what each Chinese typeface is called elsewhere, so that a machine without it finds its like."""
    part = next(part for part in file.part.package.iter_parts() if str(part.partname) == "/word/fontTable.xml")
    told = "".join(
        f'<w:font w:name="{name}"><w:altName w:val="{other}"/><w:panose1 w:val="{panose}"/><w:charset w:val="86"/>'
        f'<w:family w:val="{family}"/><w:pitch w:val="variable"/></w:font>'
        for name, (other, family, panose) in FONTS.items()
    )
    part._blob = part.blob.replace(b"</w:fonts>", f"{told}</w:fonts>".encode())  # noqa: SLF001


def make() -> bytes:
    """The template's bytes: the same every time."""
    file = docx.Document()
    styles(file)
    declare_fonts(file)
    (page,) = file.sections
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(25)
    page.top_margin, page.bottom_margin = Mm(26), Mm(24)
    page.different_first_page_header_footer = True
    page.header.paragraphs[0].add_run("{{ title }}")
    footer = page.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    field(footer, "PAGE")
    footer.add_run(" / ")
    field(footer, "NUMPAGES")
    file.add_paragraph("集群 jiqun", style="Jiqun Small")
    file.add_paragraph("{{ title }}", style="Title")
    file.add_paragraph("{{ subtitle }}", style="Subtitle")
    file.add_paragraph("{{ lead }}", style="Jiqun Lead")
    file.add_paragraph("{{p figures }}")
    last = file.add_paragraph(style="Jiqun Small")
    last.paragraph_format.space_before = Pt(120)
    last.add_run("{{ made }}")
    file.add_paragraph("{{ digest }}", style="Jiqun Small").add_run().add_break(WD_BREAK.PAGE)
    file.add_paragraph("{{p body }}")
    properties = file.core_properties
    properties.title, properties.author, properties.comments = "", "jiqun", ""
    properties.created = properties.modified = datetime(2024, 1, 1, tzinfo=UTC)
    out = io.BytesIO()
    file.save(out)
    return steady(out.getvalue())


if __name__ == "__main__":
    TARGET.write_bytes(make())
