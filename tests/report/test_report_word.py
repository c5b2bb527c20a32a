"""Word: an office's template, named styles, declared typefaces, heads that repeat."""

from __future__ import annotations

import io
import re
import runpy
import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from docx.shared import RGBColor
from report_samples import document

from jiqun import report
from jiqun.core.errors import InputError
from jiqun.report.word import FIELDS, REQUIRED

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src" / "jiqun" / "report" / "templates" / "report.docx"


def template(folder: Path, *paragraphs: str) -> Path:
    """An office's own: a plain Word file with fields, in its own style."""
    file = docx.Document()
    file.styles["Heading 1"].font.color.rgb = RGBColor(0xC0, 0x00, 0x00)
    file.sections[0].header.paragraphs[0].text = "某市工业和信息化局"
    for paragraph in paragraphs:
        file.add_paragraph(paragraph)
    file.save(folder / "own.docx")
    return folder / "own.docx"


def made(own: Path | None = None, language: str = "zh") -> docx.document.Document:
    return docx.Document(io.BytesIO(report.render(document(), "docx", language, template=own).content))


def test_the_shipped_template_is_what_its_script_makes():
    """If this fails: python scripts/word_template.py."""
    assert runpy.run_path(str(ROOT / "scripts" / "word_template.py"))["make"]() == SHIPPED.read_bytes()


def test_chinese_typefaces_are_declared_and_named_for_other_systems():
    with zipfile.ZipFile(SHIPPED) as archive:
        styles, fonts = (archive.read(f"word/{name}.xml").decode() for name in ("styles", "fontTable"))
    used = set(re.findall(r'w:eastAsia="([^"]+)"', styles)) - {"zh-CN"}
    assert {"宋体", "黑体", "仿宋"} <= used
    for name, other in (("宋体", "SimSun"), ("黑体", "SimHei"), ("仿宋", "FangSong")):
        assert f'<w:font w:name="{name}"><w:altName w:val="{other}"/>' in fonts


def test_a_report_is_set_in_named_styles_with_heads_that_repeat():
    file = made()
    assert [p.text for p in file.paragraphs if p.style.name == "Heading 1"] == ["全部集群", "方法与来源"]
    assert file.paragraphs[1].style.name == "Title"
    captions = ["".join(p._p.xpath(".//w:t/text()")) for p in file.paragraphs if p.style.name == "Caption"]
    assert captions[:3] == ["图 1  东亚领先", "表 1  集群排名", "图 2  通信突出"]
    assert file.element.xpath("//w:fldSimple/@w:instr")[:2] == [" SEQ 图 \\* ARABIC ", " SEQ 表 \\* ARABIC "]
    ranked = next(table for table in file.tables if table.style.name == "Jiqun Table")
    assert ranked.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
    assert sum(len(p._p.xpath(".//w:drawing")) for p in file.paragraphs if p.style.name == "Jiqun Picture") == 12
    told = file.element.xpath("//wp:docPr/@descr")
    assert "东亚领先 企业数" in told
    assert len(set(file.element.xpath("//wp:docPr/@id"))) == len(told)
    assert not file.element.xpath("//w:bookmarkStart")


def test_the_cover_takes_lead_and_key_figures_once():
    told = "".join(made().element.xpath("//w:t/text()"))
    assert told.count("圣何塞居首。") == 1
    assert told.count("129 个") == 1


def test_an_offices_template_keeps_its_look_and_gets_the_styles_it_lacks(tmp_path):
    own = template(tmp_path, "{{ title }}", "前言不动", "{{p body }}", "联系人：某某")
    file = made(own)
    texts = [p.text for p in file.paragraphs]
    assert texts[:2] == ["产业集群", "前言不动"]
    assert texts[-1] == "联系人：某某"
    assert "圣何塞居首。" in texts
    assert file.sections[0].header.paragraphs[0].text == "某市工业和信息化局"
    assert file.styles["Heading 1"].font.color.rgb == RGBColor(0xC0, 0x00, 0x00)
    assert next(p for p in file.paragraphs if p.text == "圣何塞居首。").style.name == "Jiqun Lead"


@pytest.mark.parametrize(
    ("paragraphs", "code", "told"),
    [
        (["{{ title }}"], "JQ-REPORT-003", "{{p body }}"),
        (["{{p body }}"], "JQ-REPORT-003", "{{ title }}"),
        (["{{ title }}", "{{ body }}"], "JQ-REPORT-003", "{{p body }}"),
        (["{{ title }}", "{{p body }}", "{{ boss }}"], "JQ-REPORT-004", "{{ boss }}"),
        (["{{ title }}", "{% if title %}", "{{p body }}"], "JQ-REPORT-004", "wrong"),
        (["{{ title.__class__.__mro__ }}", "{{p body }}"], "JQ-REPORT-004", "unsafe"),
    ],
)
def test_a_template_that_cannot_serve_is_refused_with_what_it_lacks(tmp_path, paragraphs, code, told):
    with pytest.raises(InputError, match=code) as refused:
        made(template(tmp_path, *paragraphs))
    assert told in refused.value.render("en")
    assert refused.value.render("zh")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"hello", None])
def test_a_file_that_is_no_template_is_refused(tmp_path, content):
    own = tmp_path / "own.docx"
    if content is None:
        with zipfile.ZipFile(own, "w") as archive:
            archive.writestr("[Content_Types].xml", "<a>")
    else:
        own.write_bytes(content)
    with pytest.raises(InputError, match="JQ-REPORT-002"):
        made(own)
    with pytest.raises(InputError, match="JQ-REPORT-002"):
        made(tmp_path / "absent.docx")


def test_the_guide_names_every_field():
    guide = (ROOT / "docs" / "guide" / "report.md").read_text(encoding="utf-8")
    assert all(f"`{{{{ {field} }}}}`" in guide or f"`{{{{p {field} }}}}`" in guide for field in FIELDS)
    assert set(REQUIRED) <= set(FIELDS)
