"""Chains as data: what is shipped is sound, what is wrong is told with its place, all of it at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from chain_samples import chain
from hypothesis import given
from hypothesis import strategies as st

from jiqun.atlas.chain_data import (
    TEMPLATE,
    Chain,
    Edge,
    Node,
    check_toml,
    claims,
    find_circle,
    parse_chain,
    source_text,
    to_toml,
)
from jiqun.atlas.chain_draft import draft_from_table
from jiqun.atlas.chain_records import shipped
from jiqun.core.errors import InputError, catalogue

GOOD = """
id = "chips"
zh = "芯片"
en = "Chips"
version = "1"
[[node]]
id = "wafer"
zh = "硅片"
en = "Wafers"
stage = "upstream"
gbt = ["3985*"]
source = "GB/T 4754-2017:3985"
[[node]]
id = "fab"
zh = "晶圆制造"
en = "Fabrication"
stage = "midstream"
gbt = ["3973"]
digital = ["digital-2021:010508"]
words_zh = ["晶圆制造"]
source = "digital-2021:010508"
[[edge]]
from = "wafer"
to = "fab"
zh = "硅片"
"""


def codes(text: str) -> list[str]:
    """The codes of what is wrong with a chain."""
    return [problem.code for problem in check_toml(text, "x.toml").problems]


def test_a_good_chain_is_read_as_it_is_written():
    made = parse_chain(GOOD)
    assert [node.id for node in made.nodes] == ["wafer", "fab"]
    assert made.edges == (Edge(start="wafer", end="fab", zh="硅片"),)
    assert [claim.part for claim in claims(made.nodes[0])[0]] == [True]
    assert source_text(made.nodes[1]).zh == "digital-2021:010508 集成电路制造"
    assert made.drafts == 0


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_is_shipped_is_sound_and_each_node_has_a_source_or_is_a_draft(name: str):
    made = shipped()[name]
    assert check_toml(to_toml(made)).problems == ()
    assert made.id == name
    assert made.layered
    assert all(node.source or node.status == "draft" for node in made.nodes)
    touched = {end for edge in made.edges for end in (edge.start, edge.end)}
    assert touched == {node.id for node in made.nodes}
    assert {node.stage for node in made.nodes} == {"upstream", "midstream", "downstream"}
    assert all(edge.zh and edge.en for edge in made.edges)


def test_the_template_passes_its_own_check():
    assert codes(TEMPLATE.replace("{id}", "robots")) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('gbt = ["3973"]', 'gbt = ["39O3"]', "JQ-CHAIN-003", "fab"),
        ('gbt = ["3973"]', 'gbt = ["9999"]', "JQ-CHAIN-003", "9999"),
        ("010508", "019999", "JQ-CHAIN-003", "digital-2021"),
        ('to = "fab"', 'to = "fob"', "JQ-CHAIN-004", "wafer → fob"),
        ('source = "GB/T 4754-2017:3985"', "", "JQ-CHAIN-006", "wafer"),
        ("GB/T 4754-2017:3985", "GB/T 4754-2017:3999", "JQ-CHAIN-003", "3999"),
        ('id = "fab"', 'id = "wafer"', "JQ-CHAIN-007", "node 2"),
        ('words_zh = ["晶圆制造"]', 'words_zh = ["晶圆制造"]\nstatus = "sure"', "JQ-CHAIN-002", "node fab"),
        ('stage = "upstream"', 'stage = "up"', "JQ-CHAIN-002", "stage"),
        ('stage = "upstream"', 'stage = "downstream"', "JQ-CHAIN-008", "downstream"),
        ('zh = "芯片"', "", "JQ-CHAIN-002", "zh"),
        ("[[edge]]", "[edge", "JQ-CHAIN-001", "x.toml"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, code: str, said: str):
    assert old in GOOD
    problems = check_toml(GOOD.replace(old, new), "x.toml").problems
    assert code in [problem.code for problem in problems]
    told = next(problem for problem in problems if problem.code == code)
    for language in ("zh", "en"):
        assert said in told.render(language)
    assert "x.toml" in told.render("en")


def test_a_circle_is_named_and_allowed_only_where_the_chain_says_so():
    back = GOOD.replace('stage = "upstream"', 'stage = "midstream"') + '[[edge]]\nfrom = "fab"\nto = "wafer"\n'
    (problem,) = check_toml(back, "x.toml").problems
    assert problem.code == "JQ-CHAIN-005"
    assert "wafer → fab → wafer" in str(problem)
    assert codes(back.replace('version = "1"', 'version = "1"\nlayered = false')) == []


def test_a_word_at_two_nodes_is_refused_however_it_is_written():
    twice = GOOD.replace('gbt = ["3985*"]', 'words_zh = ["ＣＭＯＳ"]').replace('["晶圆制造"]', '["cmos"]')
    assert codes(twice) == ["JQ-CHAIN-007"]


def test_all_problems_are_collected_and_the_error_counts_them():
    broken = GOOD.replace('gbt = ["3973"]', 'gbt = ["9999"]').replace('to = "fab"', 'to = "fob"')
    assert sorted(codes(broken)) == ["JQ-CHAIN-003", "JQ-CHAIN-004"]
    with pytest.raises(InputError, match=r"JQ-CHAIN-009.*2"):
        parse_chain(broken)


@pytest.mark.parametrize("text", ["", "id = 1", "node = 3\nid = 'a'", "\x00", "[" * 5000, "edge = [1]\nnode = ['x']"])
def test_no_file_makes_the_check_stumble(text: str):
    checked = check_toml(text)
    assert checked.chain is None
    assert checked.problems
    assert all(problem.render("zh") for problem in checked.problems)


def test_every_message_of_chains_is_there_in_both_languages():
    mine = [message for code, message in catalogue().items() if code.startswith(("JQ-CHAIN", "JQ-SHARE"))]
    assert len(mine) == 21
    assert all(message.zh and message.en and message.hint_zh and message.hint_en for message in mine)


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1, max_size=20)


@given(names, names, names)
def test_whatever_a_chain_says_survives_its_file(zh: str, flow: str, source: str):
    nodes = (
        Node(id="a", zh=zh, en=zh, stage="upstream", source=source, status="draft", words_zh=(zh + "甲",)),
        Node(id="b", zh=zh, en=zh, stage="downstream", status="draft"),
    )
    made = Chain(id="c", zh=zh, en=zh, version="1", nodes=nodes, edges=(Edge(start="a", end="b", zh=flow),))
    assert check_toml(to_toml(made)).chain == made


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_circle_is_found_exactly_where_there_is_one(pairs: list[tuple[int, int]]):
    nodes = [str(i) for i in range(8)]
    edges = [(str(a), str(b)) for a, b in pairs]
    reach = {n: {b for a, b in edges if a == n} for n in nodes}
    for middle in nodes:
        for n in nodes:
            if middle in reach[n]:
                reach[n] = reach[n] | reach[middle]
    found = find_circle(nodes, edges)
    assert bool(found) == any(n in reach[n] for n in nodes)
    ring = [*found, *found[:1]]
    assert all(pair in edges for pair in pairwise(ring))


def test_digests_follow_the_content():
    assert chain().digest == chain().digest
    assert chain().digest != chain(version="2").digest


class TestDraft:
    """A draft from an input–output table."""

    def table(self, **more):
        """Three sectors: a sells to b, b to c."""
        import polars as pl  # noqa: PLC0415

        body = {
            "sector": ["39 电子", "40 仪表", "服务"],
            "39 电子": [10.0, 0.0, 0.0],
            "40 仪表": [40.0, 5.0, 0.0],
            "服务": [0.0, 60.0, 20.0],
            "总产出": [100.0, 100.0, 200.0],
        }
        return pl.DataFrame(body | more)

    def test_edges_stand_where_both_shares_are_large_enough(self):
        made = draft_from_table(self.table(), chain="draft")
        assert [(edge.start, edge.end) for edge in made.edges] == [("s1", "s2"), ("s2", "s3")]
        assert [node.stage for node in made.nodes] == ["upstream", "midstream", "downstream"]
        assert [node.gbt for node in made.nodes] == [("39",), ("40",), ()]
        assert made.drafts == 3
        assert check_toml(to_toml(made)).problems == ()

    @pytest.mark.parametrize(("coefficient", "share", "edges"), [(0.4, 0.4, 1), (0.3, 0.3, 2), (0.35, 0.05, 1)])
    def test_thresholds_are_met_at_equality(self, coefficient: float, share: float, edges: int):
        made = draft_from_table(self.table(), chain="draft", coefficient=coefficient, share=share)
        assert len(made.edges) == edges

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"总产出": [100.0, -1.0, 200.0]}, "JQ-CHAIN-012"),
            ({"sector": ["a", "a", "b"]}, "JQ-CHAIN-012"),
            ({"服务": ["x", "y", "z"]}, "JQ-CHAIN-012"),
            ({"39 电子": [200.0, 0.0, 0.0]}, "JQ-CHAIN-012"),
            ({"40 仪表": [0.0, 0.0, 0.0], "服务": [0.0, 0.0, 0.0]}, "JQ-CHAIN-017"),
        ],
    )
    def test_a_table_that_cannot_be_is_refused(self, change, code: str):
        with pytest.raises(InputError, match=code):
            draft_from_table(self.table(**change), chain="draft")

    def test_without_total_output_it_is_refused(self):
        with pytest.raises(InputError, match="JQ-CHAIN-012"):
            draft_from_table(self.table().drop("总产出"), chain="draft")
