import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jiqun import __version__
from jiqun.core.errors import JiqunError, UsageError, WorkspaceError
from jiqun.core.lineage import Lineage, Source
from jiqun.store import Workspace

FRAME = pl.DataFrame({"cluster": ["深圳", "新竹"], "firms": [855, 120], "hull": [[113.9, 22.5], []]})


def lineage(number: int = 0) -> Lineage:
    parameters = {"eps_km": 20.0, "alpha": 0.05, "classes": ("01", "02"), "number": number, "name": None}
    return Lineage("atlas.find_clusters", "1", parameters, (Source("organisations", "ab" * 32, "2025-06-30"),))


def test_a_result_comes_back_whole(workspace):
    workspace.put_result(
        "atlas", lineage(), {"clusters": FRAME, "empty": FRAME.head(0)}, {"found": 2, "层": ["a", {"b": None}]}
    )
    result = Workspace.open(workspace.path).result("atlas")
    assert result.id == lineage().digest == result.lineage.digest
    assert result.lineage.inputs == lineage().inputs
    assert result.lineage.parameters["eps_km"] == 20.0
    assert result.values == {"found": 2, "层": ["a", {"b": None}]}
    assert (result.kind, result.jiqun, result.current, result.tables) == (
        "atlas",
        __version__,
        True,
        ("clusters", "empty"),
    )
    assert_frame_equal(result.table("clusters"), FRAME)
    assert_frame_equal(result.table("empty"), FRAME.head(0))
    assert result.path == workspace.path / "results" / "atlas" / result.id
    with pytest.raises(UsageError) as caught:
        result.table("../../manifest")
    assert caught.value.code == "JQ-USE-001"


def test_equal_lineage_is_written_once_and_made_current_again(workspace):
    first = workspace.put_result("atlas", lineage(0), {"clusters": FRAME}, {"run": 1})
    second = workspace.put_result("atlas", lineage(1), {"clusters": FRAME}, {"run": 2})
    written = {path: path.stat().st_mtime_ns for path in first.path.iterdir()}
    manifest = (workspace.path / "manifest.json").read_bytes()
    assert workspace.put_result("atlas", lineage(1), {}, {}) == second
    assert (workspace.path / "manifest.json").read_bytes() == manifest
    again = workspace.put_result("atlas", lineage(0), {"clusters": FRAME.head(1)}, {"run": 3})
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in first.path.iterdir()} == written
    assert workspace.result("atlas") == first
    newest, oldest = workspace.results("atlas")
    assert (newest.id, newest.current, oldest.id, oldest.current) == (second.id, False, first.id, True)
    assert newest.created > oldest.created
    assert workspace.result("other") is None


def test_a_result_is_found_by_a_unique_beginning_of_its_id(workspace):
    stored: dict[str, str] = {}
    number, shared = 0, None
    while shared is None:  # two lineages that agree in four digits: a birthday away
        digest = lineage(number).digest
        shared = stored.get(digest[:4])
        stored.setdefault(digest[:4], digest)
        number += 1
    other = next(n for n in range(number) if lineage(n).digest == shared)
    for n in (other, number - 1):
        workspace.put_result("atlas", lineage(n), {}, {"number": n})
    assert workspace.result("atlas", shared).values == {"number": other}
    length = next(i for i in range(64) if shared[i] != digest[i])
    assert workspace.result("atlas", digest[: length + 1]).values == {"number": number - 1}
    absent = next(f"{n:04x}" for n in range(1 << 16) if f"{n:04x}" != digest[:4])
    for wanted, code in (
        (digest[:4], "JQ-STORE-012"),
        (absent, "JQ-STORE-011"),
        (digest[:3], "JQ-STORE-009"),
        ("../..", "JQ-STORE-009"),
        (digest.upper() + "G", "JQ-STORE-009"),
    ):
        with pytest.raises(UsageError) as caught:
            workspace.result("atlas", wanted)
        assert caught.value.code == code
    with pytest.raises(UsageError) as caught:
        workspace.result("none-yet", digest)
    assert caught.value.code == "JQ-STORE-011"


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "/etc", "", "A", "x" * 65, "a\n", "a\0", "集群", "."])
def test_no_name_leaves_its_folder(workspace, name):
    for attempt in (
        lambda: workspace.put_result(name, lineage(), {}, {}),
        lambda: workspace.put_result("atlas", lineage(), {name: FRAME}, {}),
        lambda: workspace.result(name),
        lambda: workspace.results(name),
    ):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert caught.value.code == "JQ-STORE-009"
    assert workspace.results("atlas") == ()
    assert sorted(path.name for path in workspace.path.iterdir()) == [".lock", "jiqun.toml", "manifest.json"]


def test_values_that_are_not_json_store_nothing(workspace):
    for values in ({"a": float("nan")}, {"a": object()}):
        with pytest.raises((ValueError, TypeError)):
            workspace.put_result("atlas", lineage(), {"clusters": FRAME}, values)
    assert workspace.results("atlas") == ()
    assert workspace.put_result("atlas", lineage(), {"clusters": FRAME}, {}).current


def test_damaged_result_files_are_said(workspace):
    result = workspace.put_result("atlas", lineage(), {"clusters": FRAME}, {})
    (result.path / "clusters.parquet").write_bytes(b"nonsense")
    with pytest.raises(WorkspaceError) as caught:
        result.table("clusters")
    assert caught.value.code == "JQ-STORE-016"
    for content in ("", "{}", "[]", json.dumps({"lineage": 3})):
        (result.path / "result.json").write_text(content)
        with pytest.raises(JiqunError) as caught:
            workspace.result("atlas")
        assert caught.value.code == "JQ-STORE-016"
    assert [damage.problem for damage in workspace.verify()] == ["changed", "changed"]
