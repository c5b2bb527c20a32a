"""Blocks inside a page: one language, the page's own links, nothing that its policy forbids."""

from __future__ import annotations

import re

import pytest
from report_samples import CITIES, HOSTILE, Element, document, everywhere, ranking, read, texts

from jiqun import report
from jiqun.core.document import Document, Paragraph, Section, Table, Text
from jiqun.report.voice import voice


def twin(table: Table) -> dict[str, str]:
    return {name: f"/tables/{table.id}.{name}" for name in ("csv", "json")}


def href(anchor: str) -> str:
    return f"/clusters/{anchor}"


@pytest.fixture(scope="module", params=["zh", "en"])
def spoken(request) -> tuple[str, Element]:
    return request.param, read(report.fragment(document(), request.param, twin=twin, href=href))


def test_a_fragment_speaks_one_language(spoken):
    language, part = spoken
    other = "en" if language == "zh" else "zh"
    said = " ".join(part.words().split())
    for text in texts(document().blocks):
        assert " ".join(text.get(language).split()) in said
    assert not any("lang" in each.attributes for each in part.all())
    for text in (Text("东亚领先", "East Asia leads"), Text("来源：", "Source: "), Text("回到开头", "To the top")):
        assert text.get(other) not in said


def test_its_links_are_the_pages(spoken):
    _, part = spoken
    links = {link.attributes["href"] for link in part.all("a")}
    assert {href(f"c{i}") for i in range(len(CITIES))} <= links
    assert {"/tables/clusters.csv", "/tables/clusters.json", "/tables/bars-t.csv"} <= links
    inside = {link[1:] for link in links if link.startswith("#")}
    assert inside == {"clusters"}
    assert inside <= {each.attributes.get("id") for each in part.all()}
    assert all(link.startswith(("#", "/tables/", "/clusters/")) for link in links)


def test_what_the_pages_policy_forbids_is_not_in_it(spoken):
    _, part = spoken
    assert not any("style" in each.attributes for each in part.all())
    assert not {each.tag for each in part.all()} & {"style", "script", "img", "link", "iframe", "form"}
    assert "data:" not in report.fragment(document(), "en", twin=twin)
    assert not re.search(r"@import|url\((?!#)", report.stylesheet())


def test_sections_begin_at_the_level_asked_for():
    blocks = [Section("a", Text("一", "One"), (Section("b", Text("二", "Two"), ()),))]
    part = read(report.fragment(blocks, "en", twin=twin, level=3))
    assert [(each.tag, each.words()) for each in part.all() if each.tag[0] == "h"] == [("h3", "One"), ("h4", "Two")]


def test_a_document_ends_with_its_lineage_and_credits_blocks_do_not():
    whole = report.fragment(document(), "en", twin=twin)
    assert document().lineage.digest in whole
    assert "Names: GeoNames" in whole
    some = report.fragment(document().blocks, "en", twin=twin)
    assert document().lineage.digest not in some
    assert "Natural Earth" in some
    assert report.fragment([], "zh", twin=twin) == '<div class="doc"></div>'


def test_a_table_without_twins_offers_none():
    part = read(report.fragment([ranking()], "zh", twin=lambda _: {}))
    assert not [link for link in part.all("a") if "download" in link.attributes]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text_in_a_fragment(hostile):
    plain = {each.tag for each in read(report.fragment(everywhere("甲", "A"), "en", twin=twin)).all()}
    part = read(report.fragment(everywhere("x", hostile), "en", twin=twin, href=href))
    assert {each.tag for each in part.all()} <= plain
    assert not any(name.startswith("on") or name == "style" for each in part.all() for name in each.attributes)


def test_the_voice_is_both_languages_again_whatever_happens():
    twice = [Section("a", Text("一", "1"), ()), Section("a", Text("二", "2"), ())]
    with pytest.raises(ValueError, match="used twice"):
        report.fragment(twice, "en", twin=twin)
    ragged = Table("t", Text("表", "T"), (), [(1,)], Text("", ""))
    with pytest.raises(ValueError, match="row 0 has 1 cells"):
        report.fragment([ragged], "en", twin=twin)
    assert voice().languages == ("zh", "en")
    one = Document(Text("题", "Title"), Text("", ""), (Paragraph(Text("甲", "A")),), document().lineage)
    assert '<span lang="en">A</span>' in report.html(one)
