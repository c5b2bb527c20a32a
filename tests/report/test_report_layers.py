"""Layered drawings: boxes in their layers, few crossings, links, a list for phones, nothing hostile."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

from jiqun.core.document import LayerBox, LayerFlow, Layers, Text
from jiqun.report import layers
from jiqun.report.drawing import draw, legend, listed
from jiqun.report.picture import picture
from jiqun.report.voice import Voice, speaking

BAD = "<script>alert(1)</script>"


def drawing(flows, *, sizes=(3, 3, 1), name="x") -> Layers:
    """Layers of so many boxes: a0, a1 …, b0 …"""
    boxes = tuple(
        LayerBox(
            f"{letter}{i}", layer, Text(f"{name}{i}", f"{name}{i}"), Text("二", "two"), "strong", "+", f"n/{letter}{i}"
        )
        for layer, (letter, size) in enumerate(zip("abc", sizes, strict=True))
        for i in range(size)
    )
    return Layers(
        boxes,
        tuple(LayerFlow(a, b, Text("", "")) for a, b in flows),
        ((Text("上", "Up"), 0, 0), (Text("下", "Down"), 1, 2)),
    )


def crossings(flows, at) -> int:
    """How many pairs of flows between the same layers cross."""
    return sum(
        (at[a][1] - at[c][1]) * (at[b][1] - at[d][1]) < 0
        for (a, b), (c, d) in combinations(flows, 2)
        if at[a][0] == at[c][0] and at[b][0] == at[d][0]
    )


def test_boxes_stand_in_their_layers_and_do_not_overlap():
    at = layers.positions(drawing([("a0", "b0")]))
    for layer, letter in enumerate("abc"):
        column = [xy for box, xy in at.items() if box.startswith(letter)]
        assert {x for x, _ in column} == {4.0 + layer * 220.0}
        ys = sorted(y for _, y in column)
        assert all(b - a >= 42 for a, b in pairwise(ys))


def test_arrows_are_untangled():
    flows = [("a0", "b2"), ("a1", "b1"), ("a2", "b0")]
    assert crossings(flows, layers.positions(drawing(flows))) == 0


def test_each_box_is_a_link_that_names_it_and_hostile_names_are_text():
    with speaking(Voice(("en",), "/{}".format)):
        drawn = draw(drawing([("a0", "b0"), ("b0", "a1")], name=BAD), title_id="t")
    assert BAD not in drawn
    assert "&lt;script&gt;" in drawn
    assert len(re.findall(r'<a href="/n/\w+" aria-label="', drawn)) == 7
    assert drawn.count('class="arrow"') == 2
    assert 'aria-labelledby="t"' in drawn


def test_the_list_says_what_the_drawing_says():
    with speaking(Voice(("zh",))):
        said = listed(drawing([]))
        assert said.count("<li>") == 2 + 7
        assert "<strong>上</strong>" in said
        assert legend(drawing([])) == ""


def test_it_stands_as_a_file_without_links_too():
    made = drawing([("a0", "b0")])
    alone = Layers(tuple(LayerBox(b.id, b.layer, b.label, b.detail, b.look, b.sign) for b in made.boxes), made.flows)
    with speaking(Voice(("en",))):
        found = picture(alone)
    assert "<a " not in found.svg
    assert found.width > found.height > 100
    assert "var(--" not in found.svg
