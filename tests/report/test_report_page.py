"""The page as a whole: well formed, both languages, nothing fetched, nothing run but our own script."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import CITIES, HOSTILE, Element, bubbles, document, everywhere, ranking, read, texts

from jiqun import report
from jiqun.core.document import (
    Column,
    Document,
    Figure,
    Map,
    Section,
    Table,
    Text,
)
from jiqun.core.lineage import Lineage
from jiqun.core.text import visible

FETCHING = {"src", "srcset", "data", "poster", "action", "background", "style", "formaction", "ping", "xlink:href"}


@pytest.fixture(scope="module")
def page() -> Element:
    return read(report.html(document()))


def text_of(page: Element, without: str = "") -> str:
    return " ".join(page.words(without).split())


def assert_inert(page: Element) -> None:
    """Nothing loads, nothing runs, and links lead into the page or hold their own data."""
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in page.all():
        assert not FETCHING & each.attributes.keys()
        assert not any(name.startswith("on") for name in each.attributes)
        href = each.attributes.get("href", "")
        assert href == "" or href.startswith(("#", "data:text/csv;", "data:application/json;"))
        assert not href.startswith("#") or href[1:] in ids
        assert each.tag not in {"link", "iframe", "object", "embed", "img", "image", "base", "form", "foreignobject"}
        for name in ("aria-labelledby", "for"):
            assert all(id_ in ids for id_ in each.attributes.get(name, "").split())
    (style,), (script,) = list(page.all("style")), list(page.all("script"))
    (policy,) = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    assert policy.startswith("default-src 'none'; ")
    for part in (style, script):
        digest = base64.b64encode(hashlib.sha256(part.words().encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "@import" not in style.words()
    assert not re.search(r"url\((?!#)", style.words())


def test_a_page_is_inert(page):
    assert_inert(page)


def test_every_text_stands_in_both_languages(page):
    zh, en = text_of(page, "en"), text_of(page, "zh-Hans")
    for text in texts(document()):
        assert " ".join(text.zh.split()) in zh
        assert " ".join(text.en.split()) in en
    assert "East Asia leads" not in zh
    assert "东亚领先" not in en


def test_languages_are_marked_and_switched_by_two_buttons_before_all_else(page):
    assert {each.attributes["lang"] for each in page.all() if "lang" in each.attributes} == {"zh-Hans", "en"}
    body = next(page.all("body"))
    first, second = body.children[:2]
    assert (first.attributes["id"], "checked" in first.attributes) == ("jq-zh", True)
    assert (second.attributes["id"], "checked" in second.attributes) == ("jq-en", False)
    assert {label.attributes["for"] for label in page.all("label")} == {"jq-zh", "jq-en"}
    english = read(report.html(document(), language="en"))
    assert english.attributes["lang"] == "en"
    assert [("checked" in each.attributes) for each in english.all("input")] == [False, True]


def test_every_picture_has_a_finding_a_measure_a_table_and_a_source(page):
    figures = list(page.all("figure"))
    assert len(figures) == 2 + len(CITIES)
    for figure in figures:
        caption = next(figure.all("figcaption"))
        assert all(caption.of_class(name) and caption.of_class(name)[0].words() for name in ("finding", "measure"))
        (picture,) = figure.of_class("map") + figure.of_class("bars")
        named_by = picture.attributes["aria-labelledby"]
        assert caption.of_class("finding")[0].attributes["id"] == named_by
        assert list(figure.all("table")) or figure.of_class("twin")
        assert any("来源：登记表" in line.words("en") for line in figure.of_class("source"))
    assert figures[0].of_class("twin")[0].children[-1].attributes["href"] == "#clusters"
    assert len([each for each in page.all() if each.attributes.get("id") == "clusters"]) == 1


def test_contents_list_every_section_and_headings_descend(page):
    (contents,) = page.all("nav")
    listed = [link.attributes["href"][1:] for link in contents.all("a")]
    sections = [each.attributes["id"] for each in page.all("section")]
    assert listed == [id_ for id_ in sections if id_ != "jq-lineage"]
    levels = [int(each.tag[1]) for each in page.all() if re.fullmatch(r"h[1-6]", each.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_lineage_tells_method_parameters_and_inputs_in_words(page):
    told = next(each for each in page.all("section") if each.attributes["id"] == "jq-lineage").words("zh-Hans")
    for part in ("atlas.find_clusters", "Parameter eps_km", "20.0", "organisations, as of 2024-05", "ab" * 32):
        assert part in told
    assert document().lineage.digest in told


def test_the_same_document_gives_the_same_bytes():
    assert report.html(document()) == report.html(document())


def test_repeated_table_is_written_once_and_linked_to():
    doc = Document(
        Text("题", "Title"), Text("", ""), (ranking_without_links(), ranking_without_links()), Lineage("m", "1")
    )
    page = read(report.html(doc))
    assert len(list(page.all("table"))) == 1
    assert page.of_class("twin")[0].words("zh-Hans") == "Numbers in the table: Clusters ranked"


def ranking_without_links() -> Table:
    return replace(ranking(), links=())


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ((Section("a", Text("一", "1"), ()), Section("a", Text("二", "2"), ())), "'a' is used twice"),
        ((Section("jq-top", Text("一", "1"), ()),), "'jq-top' cannot be an anchor"),
        ((Section('x" onload="', Text("一", "1"), ()),), "cannot be an anchor"),
        ((ranking(),), "clusters: the anchor 'c0' leads nowhere"),
        ((replace(ranking(), links=("c0",)),), "1 links for 10 rows"),
        (
            (Figure("f", Text("一", "1"), Text("", ""), Map(bubbles()), ranking_without_links()),),
            "f: the anchor 'c0' leads nowhere",
        ),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(blocks, message):
    doc = Document(Text("题", "Title"), Text("", ""), blocks, Lineage("m", "1"))
    with pytest.raises(ValueError, match=re.escape(message)):
        report.html(doc)


ALLOWED = {each.tag for each in read(report.html(everywhere("甲", "A"))).all()}
ATTRIBUTES = {name for each in read(report.html(everywhere("甲", "A"))).all() for name in each.attributes}


@pytest.mark.parametrize("zh", HOSTILE)
@pytest.mark.parametrize("en", [HOSTILE[1], "plain"])
def test_hostile_names_stay_text(zh, en):
    raw = report.html(everywhere(zh, en))
    raw.encode()
    page = read(raw)
    assert_inert(page)
    assert {each.tag for each in page.all()} <= ALLOWED
    assert {name for each in page.all() for name in each.attributes} <= ATTRIBUTES
    heading = next(page.all("h1"))
    assert heading.words("en") == visible(zh or en)
    assert heading.words("zh-Hans") == visible(en)


fragments = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE[:-2]),
        st.text(st.characters(exclude_categories=()), max_size=8),
        st.sampled_from("<>\"'&="),
    ),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=25)
@given(fragments, fragments)
def test_no_text_can_become_markup(zh, en):
    page = read(report.html(everywhere(zh, en)))
    assert_inert(page)
    assert {each.tag for each in page.all()} <= ALLOWED
    assert {name for each in page.all() for name in each.attributes} <= ATTRIBUTES


def test_a_report_of_130_clusters_with_1000_points_each_stays_under_6_mb():
    rng = random.Random(3)
    columns = tuple(Column(f"k{i}", Text(f"列{i}", f"Column {i}"), "number" if i else "text") for i in range(7))
    sections = []
    for i in range(130):
        lon, lat = rng.uniform(-120, 140), rng.uniform(-40, 60)
        points = [(lon + rng.gauss(0, 0.1), lat + rng.gauss(0, 0.1)) for _ in range(1000)]
        rows = [
            (f"Company {k} Networks Technology Co., Ltd.", *(rng.random() * 100 for _ in range(6))) for k in range(20)
        ]
        table = Table(f"c{i}-t", Text("成员", "Members"), columns, rows, Text("登记", "Registry"), "2024-05")
        local = Map(extent=(lon - 0.4, lat - 0.3, lon + 0.4, lat + 0.3), points=points)
        figure = Figure(f"c{i}-f", Text("图", "Figure"), Text("量", "Measure"), local, table)
        sections.append(Section(f"c{i}", Text(f"集群{i}", f"Cluster {i}"), (figure,)))
    doc = Document(Text("题", "Title"), Text("", ""), tuple(sections), Lineage("m", "1"))
    assert len(report.html(doc).encode()) <= 6_000_000
