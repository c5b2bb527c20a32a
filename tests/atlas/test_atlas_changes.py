"""What followers are told of a run: worded from the two tables, once for each account and run."""

from datetime import UTC, datetime

import polars as pl
import pytest

from jiqun.accounts import desk, follows, notices
from jiqun.atlas import changes
from jiqun.core.actor import LOCAL
from jiqun.core.lineage import Lineage, Source
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.worker import work

SCHEMA = {
    "cluster_id": pl.String,
    "name_zh": pl.String,
    "name_en": pl.String,
    "country": pl.String,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "firms": pl.Int64,
    "event": pl.String,
    "previous": pl.List(pl.String),
}


@pytest.fixture
def workspace(tmp_path):
    made = Workspace.init(tmp_path / "ws", clock=lambda: datetime(2025, 7, 1, tzinfo=UTC))
    yield made
    made.close()


def run(workspace, rows, number, previous=None, kind="clusters-01"):
    """A stored run of clusters: id, name, country, firms, event, previous ids."""
    table = pl.DataFrame(
        [
            (id_, f"{name}市", name, country, 0.0, 0.0, firms, event, before)
            for id_, name, country, firms, event, before in rows
        ],
        schema=SCHEMA,
        orient="row",
    )
    members = pl.DataFrame(
        [(f"o{id_}", f"{name}厂", id_) for id_, name, *_ in rows], schema=["id", "name", "cluster_id"], orient="row"
    )
    inputs = (Source("organisations", f"{number:064}", "2025-06-30"),)
    lineage = Lineage("atlas.find_clusters", "1", {}, inputs)
    values = {"previous": previous.id if previous else None}
    return workspace.put_result(kind, lineage, {"clusters": table, "members": members}, values)


FIRST = [
    ("c0001", "Grow", "CN", 100, "born", []),
    ("c0002", "Still", "CN", 100, "born", []),
    ("c0003", "Shrink", "CN", 100, "born", []),
    ("c0004", "Gone", "KR", 10, "born", []),
    ("c0005", "Eaten", "KR", 10, "born", []),
    ("c0006", "Cut", "KR", 10, "born", []),
]
SECOND = [
    ("c0001", "Grow", "CN", 130, "continued", ["c0001"]),
    ("c0002", "Still", "CN", 104, "continued", ["c0002"]),
    ("c0003", "Shrink", "CN", 90, "merged", ["c0003", "c0005"]),
    ("c0006", "Cut", "KR", 6, "split", ["c0006"]),
    ("c0007", "Half", "KR", 4, "split", ["c0006"]),
    ("c0008", "New", "CN", 12, "born", []),
]


@pytest.fixture
def runs(workspace):
    first = run(workspace, FIRST, 1)
    return first, run(workspace, SECOND, 2, first)


def test_every_change_is_told_in_both_languages(runs):
    told = {change.cluster_id: change for change in changes.changes(*runs)}
    assert {id_: change.event for id_, change in told.items()} == {
        "c0001": "grew",
        "c0003": "merged",
        "c0004": "died",
        "c0005": "died",
        "c0006": "split",
        "c0007": "split",
        "c0008": "born",
    }
    assert told["c0001"].title.zh == "Grow市：增加 30 家企业"
    assert told["c0001"].title.en == "Grow: 30 more firms"
    assert told["c0001"].body.en == "Firms: 100 before, 130 now."
    assert told["c0003"].title.zh == "Shrink市：与Eaten市合并"
    assert told["c0005"].title.en == "Eaten: became part of Shrink"
    assert told["c0004"].title.zh == "Gone市：不再构成集群"
    assert all(change.title.zh and change.title.en for change in told.values())


def test_a_run_against_itself_changes_nothing(runs):
    _, second = runs
    same = [change for change in changes.changes(second, second) if change.event in {"grew", "shrank", "died", "born"}]
    assert same == []


def member(workspace, login):
    return desk.add(
        LOCAL,
        workspace,
        login=login,
        name=login,
        role="analyst",
        password="correct horse battery",  # noqa: S106
        key=new_key(),
    ).actor


def queue(workspace, result):
    payload = {"kind": result.kind, "result": result.id}
    workspace.database.command(LOCAL, new_key(), "ran", lambda tx: tx.job(changes.KIND, payload))
    work(workspace, changes.HANDLERS, once=True)


def test_followers_are_told_once_of_what_they_follow(workspace, runs):
    one, other, far = (member(workspace, name) for name in ("one", "other", "far"))
    for actor, kind, subject in (
        (one, "cluster", "clusters-01/c0001"),
        (one, "cluster", "clusters-01/c0002"),
        (one, "cluster", "clusters-01/c0004"),
        (other, "region", "clusters-01/CN"),
        (far, "cluster", "clusters/c0001"),
        (far, "region", "clusters-01/US"),
    ):
        follows.follow(actor, workspace, kind, subject, key=new_key())
    for _ in range(2):  # the run again, or its job again
        queue(workspace, runs[1])
    told = {(one.kind, one.subject, one.link) for one in notices.notices(workspace, one.id)}
    assert told == {
        ("cluster.grew", "clusters-01/c0001", "/clusters/c0001?class=01"),
        ("cluster.died", "clusters-01/c0004", "/clusters?class=01"),
    }
    (new,) = notices.notices(workspace, other.id)
    assert (new.kind, new.subject, new.title.en) == ("cluster.born", "clusters-01/CN", "New cluster: New, firms: 12")
    assert notices.notices(workspace, far.id) == ()


def test_the_first_run_tells_nobody(workspace, runs):
    reader = member(workspace, "reader")
    follows.follow(reader, workspace, "region", "clusters-01/CN", key=new_key())
    queue(workspace, runs[0])
    assert notices.notices(workspace, reader.id) == ()
    assert [job.state for job in workspace.database.jobs.list()] == ["done"]


def test_clusters_are_followed_as_their_results_are_called():
    assert changes.subject("clusters", "c0001") == "clusters/c0001"


def test_followers_of_a_firm_hear_when_it_comes_or_goes(workspace, runs):
    reader = member(workspace, "reader")
    for firm in ("oc0001", "oc0004", "oc0008", "o-elsewhere"):
        follows.follow(reader, workspace, "firm", firm, key=new_key())
    queue(workspace, runs[1])
    told = {(one.title.zh, one.title.en, one.link) for one in notices.notices(workspace, reader.id)}
    assert told == {
        ("Gone厂：不再属于集群“Gone市”", "Gone厂: no longer in the cluster Gone", "/firms/oc0004"),
        ("New厂：进入集群“New市”", "New厂: now in the cluster New", "/firms/oc0008"),
    }
