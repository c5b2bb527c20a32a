import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.lineage import Lineage, Source, canonical_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
texts = st.text(max_size=8)
sources = st.builds(Source, texts, texts, texts)
lineages = st.builds(Lineage, texts, texts, st.dictionaries(texts, values, max_size=4), st.tuples(sources, sources))


def reordered(value):
    """The same value with every dictionary filled in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(inner) for key, inner in reversed(value.items())}
    return [reordered(inner) for inner in value] if isinstance(value, list) else value


@given(values)
def test_canonical_json_is_json_of_the_value_and_blind_to_order(value):
    content = canonical_json(value)
    assert json.loads(content) == value
    assert canonical_json(reordered(value)) == content
    assert canonical_json(json.loads(content)) == content


@given(values, values)
def test_different_values_have_different_canonical_json(one, other):
    assert (canonical_json(one) == canonical_json(other)) == (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


@given(lineages)
def test_a_lineage_read_back_from_json_has_the_same_digest(lineage):
    read = json.loads(
        json.dumps({"parameters": lineage.parameters, "inputs": [vars(source) for source in lineage.inputs]})
    )
    again = Lineage(
        lineage.method, lineage.version, reordered(read["parameters"]), tuple(Source(**one) for one in read["inputs"])
    )
    assert again.digest == lineage.digest


@given(lineages, st.sampled_from(["method", "version", "inputs", "parameters"]))
def test_any_difference_changes_the_digest(lineage, field):
    changed = {
        "method": lineage.method + "x",
        "version": lineage.version + "x",
        "inputs": (*lineage.inputs, Source("x", "y")),
        "parameters": {**lineage.parameters, "a parameter of its own": 1},
    }
    assert Lineage(**{**vars(lineage), field: changed[field]}).digest != lineage.digest


def test_inputs_are_told_apart_by_order():
    """Which input is the class and which the background matters."""
    a, b = Source("a", "1"), Source("b", "2")
    assert Lineage("m", "1", {}, (a, b)).digest != Lineage("m", "1", {}, (b, a)).digest


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_json_number_is_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": [value]})
