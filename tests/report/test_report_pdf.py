"""PDF: Chinese or a clear error, tagged, with what it says as text."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import typst
from report_samples import document

from jiqun import report
from jiqun.core.document import Column, Document, Paragraph, Section, Table, Text
from jiqun.core.errors import InputError
from jiqun.core.lineage import Lineage
from jiqun.report import pdf as module
from jiqun.report import typesetting
from machine import require


@pytest.fixture
def bare(monkeypatch):
    """A machine with no typefaces but those that come with typst."""
    fonts = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(typesetting, "fonts", lambda: fonts)
    monkeypatch.setattr(module, "fonts", lambda: fonts)


def told(zh: str, en: str) -> Document:
    return Document(Text("题", "Title"), Text("", ""), (Paragraph(Text(zh, en)),), Lineage("m", "1"))


@pytest.mark.usefixtures("bare")
def test_chinese_without_a_typeface_is_an_error_that_names_the_package():
    asked = [(document(), "pdf", "zh"), (told("", "Made by 华为 alone"), "pdf", "en"), (document(), "docx", "zh")]
    for content, form, language in asked:
        with pytest.raises(InputError, match="JQ-REPORT-001") as refused:
            report.render(content, form, language)
        assert "fonts-noto-cjk" in refused.value.render("zh")
        assert "fonts-noto-cjk" in refused.value.render("en")


@pytest.mark.usefixtures("bare")
def test_english_needs_no_chinese_typeface_and_a_rare_sign_stops_nothing():
    assert report.render(document(), "docx", "en").content.startswith(b"PK")
    assert report.render(told("甲", "Plain"), "pdf", "en").content.startswith(b"%PDF")
    assert report.render(told("甲", "Emoji \U0001f600 and \u1b05"), "pdf", "en").content.startswith(b"%PDF")


@pytest.mark.usefixtures("cjk_font")
def test_a_rare_chinese_character_stops_nothing_where_the_common_ones_are():
    assert report.render(told("名：\U000323af", ""), "pdf", "zh").content.startswith(b"%PDF")


def about(content: bytes) -> str:
    require("pdf", shutil.which("pdfinfo"), "pdfinfo is absent; install the package poppler-utils")
    return subprocess.run(["pdfinfo", "-"], input=content, capture_output=True, check=True).stdout.decode()


@pytest.mark.usefixtures("cjk_font")
def test_a_pdf_is_tagged_titled_and_a4():
    known = about(report.render(document(), "pdf", "zh").content)
    assert "Tagged:          yes" in known
    assert "Title:           产业集群" in known
    assert "(A4)" in known


@pytest.mark.usefixtures("cjk_font")
def test_heads_repeat_on_every_page_of_a_long_table_and_pages_are_numbered():
    columns = document().blocks[3].table.columns[:3]
    rows = [(i, f"Row {i}", i) for i in range(200)]
    table = Table("t", Text("长表", "Long"), columns, rows, Text("源", "src"))
    content = report.render(Document(Text("题", "T"), Text("", ""), (table,), Lineage("m", "1")), "pdf", "en").content
    require("pdf", shutil.which("pdftotext"), "pdftotext is absent; install the package poppler-utils")
    pages = subprocess.run(["pdftotext", "-layout", "-", "-"], input=content, capture_output=True, check=True)
    texts = pages.stdout.decode().split("\f")
    held = [page for page in texts if "Row " in page]
    assert len(held) > 3
    assert all("Cluster" in page for page in held)
    assert f"Page 3 of {len(texts) - 1}" in texts[2]


@pytest.mark.usefixtures("cjk_font")
def test_a_long_text_gets_the_room_that_short_ones_leave():
    names = ("rank", "name", "country", "firms", "ratio", "persistence", "leaders", "event", "id")
    kinds = ("integer", "text", "text", "integer", "ratio", "share", "text", "text", "code")
    columns = tuple(Column(name, Text(name, name), kind) for name, kind in zip(names, kinds, strict=True))
    leaders = "Zyxel Communications · Arcadyan Corporation"
    table = Table(
        "t",
        Text("表", "Table"),
        columns,
        [(1, "Hsinchu", "Taiwan, China", 9, 6.0, 1, leaders, "new", "c1")],
        Text("源", "src"),
    )
    content = report.render(Document(Text("题", "T"), Text("", ""), (table,), Lineage("m", "1")), "pdf", "en").content
    require("pdf", shutil.which("pdftotext"), "pdftotext is absent; install the package poppler-utils")
    said = subprocess.run(["pdftotext", "-layout", "-", "-"], input=content, capture_output=True, check=True).stdout
    assert any("Zyxel Communications" in line and "Taiwan, China" in line for line in said.decode().splitlines())


@pytest.mark.usefixtures("cjk_font")
def test_sections_may_nest_deeper_than_headings_are_styled():
    deep = Section("s5", Text("五", "Five"), (Paragraph(Text("底", "Bottom")),))
    for number in (4, 3, 2, 1):
        deep = Section(f"s{number}", Text(str(number), str(number)), (deep,))
    whole = Document(Text("题", "T"), Text("", ""), (deep,), Lineage("m", "1"))
    for form in ("pdf", "docx"):
        assert report.render(whole, form, "en").content
