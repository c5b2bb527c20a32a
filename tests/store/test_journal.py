"""The journal: numbering, proofs, bundles, erasure, and what an audit sees."""

from __future__ import annotations

import base64
import json
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from jiqun.core.actor import Actor
from jiqun.core.clock import system_clock
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.store import Workspace, proof
from jiqun.store.audit import Flaw, audit
from jiqun.store.journal import Journal, erase
from jiqun.store.tables import table

SQLITE = pytest.mark.parametrize("opened", ["sqlite"], indirect=True)
"""What does not differ from engine to engine."""
OPERATOR = Actor("acc_operator", frozenset({"operator"}))


def act(workspace: Workspace, first: int, last: int) -> None:
    """Commands number `first` to before `last`, a leaf each."""
    for number in range(first, last):
        workspace.database.command(
            OPERATOR,
            f"key {number}",
            "test.act",
            lambda tx, number=number: {"number": number, "text": "集群"},
            request={"number": number},
            subject=f"s{number % 3}",
        )


def hashes(workspace: Workspace) -> list[bytes]:
    leaves = table("leaves")
    with workspace.database.read() as connection:
        asked = select(leaves.c.hash).where(leaves.c.position.is_not(None)).order_by(leaves.c.position)
        return [bytes(found) for found in connection.scalars(asked)]


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request, tmp_path):
    """Opens one workspace, with the clock given, as often as asked."""
    path, made = tmp_path / "ws", []
    Workspace.init(path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
        (path / "jiqun.toml").write_text(f'database_url = "{url}"')

    def open_(clock=system_clock) -> Workspace:
        made.append(Workspace.open(path, clock=clock))
        return made[-1]

    yield open_
    for workspace in made:
        workspace.close()


@pytest.fixture
def workspace(opened, clock) -> Workspace:
    return opened(clock)


@pytest.fixture
def journal(workspace) -> Journal:
    act(workspace, 0, 13)
    journal = Journal(workspace)
    assert journal.sequence(5) == 5
    assert journal.tick() == 8
    return journal


def test_leaves_are_numbered_in_order_and_the_head_is_the_root_of_all(workspace, journal):
    found = hashes(workspace)
    assert len(found) == 13
    assert journal.sequence() == 0
    head = journal.head()
    assert (head.size, head.root) == (13, proof.root(found))
    assert journal.head(5).root == proof.root(found[:5])
    assert journal.head(6) is None
    key = journal.public_key(head)
    message = proof.head_data(size=13, tree_root=head.root, at=head.at, key=key)
    assert proof.verify_signature(key, head.signature, message)
    assert [entry.position for entry in journal.entries(limit=3)] == [12, 11, 10]
    assert {entry.subject for entry in journal.entries(subject="s1")} == {"s1"}
    assert audit(workspace) == ()


def test_every_proof_of_every_size_verifies(workspace, journal):
    found = hashes(workspace)
    ids = [entry.leaf for entry in journal.entries()][::-1]
    for size in range(1, 14):
        tree_root = proof.root(found[:size])
        for position, leaf in enumerate(ids[:size]):
            steps = journal.inclusion_proof(leaf, size)
            assert proof.verify_inclusion(position, size, found[position], steps, tree_root)
        for first in range(1, size + 1):
            steps = journal.consistency_proof(first, size)
            assert proof.verify_consistency(first, size, steps, proof.root(found[:first]), tree_root)


@SQLITE
def test_what_has_no_proof_is_refused(workspace, journal):
    act(workspace, 13, 14)
    waiting = journal.entries(limit=1)[0].leaf
    for leaf in (waiting, 10**6):
        with pytest.raises(UsageError, match="JQ-JOURNAL-003"):
            journal.inclusion_proof(leaf)
        with pytest.raises(UsageError, match="JQ-JOURNAL-003"):
            journal.bundle([leaf])
    for first, second in ((0, 13), (14, None), (5, 4), (1, 14), (-1, 13)):
        with pytest.raises(UsageError, match="JQ-JOURNAL-004"):
            journal.consistency_proof(first, second)
    with pytest.raises(UsageError, match="JQ-JOURNAL-004"):
        journal.bundle([], since=[6])


@SQLITE
def test_an_empty_journal_has_no_head_and_no_flaw(workspace):
    journal = Journal(workspace)
    assert journal.tick() == 0
    assert journal.head() is None
    assert audit(workspace) == ()
    with pytest.raises(UsageError, match="JQ-JOURNAL-004"):
        journal.bundle([])
    with pytest.raises(WorkspaceError, match="JQ-JOURNAL-001"):
        journal.public_key()


def test_a_late_committed_smaller_id_gets_a_later_number(workspace):
    """On PostgreSQL a transaction may commit after one that took a later id; numbers given stay as they are."""
    leaves, commands = table("leaves"), table("commands")
    at = workspace.clock()

    def write(number: int):
        def write(connection):
            salt = bytes(32)
            body = proof.body_digest(salt, request="", answer=None)
            what = {"actor": "a", "at": at, "operation": "o", "subject": ""}
            hashed = proof.leaf_hash(proof.leaf_data(body=body, **what))
            connection.execute(insert(leaves).values(id=number, hash=hashed, body_digest=body, salt=salt, **what))
            row = {"actor": "a", "key": f"k{number}", "operation": "o", "request_digest": "", "leaf": number, "at": at}
            connection.execute(insert(commands).values(row))

        return write

    journal = Journal(workspace)
    for numbers in ((10, 30), (20,), (5, 40)):
        for number in numbers:
            workspace.database.upkeep(write(number))
        assert journal.tick() == len(numbers)
    assert [(entry.leaf, entry.position) for entry in journal.entries()] == [(40, 4), (30, 1), (20, 2), (10, 0), (5, 3)]
    assert audit(workspace) == ()


def test_one_sequencer_at_a_time_and_a_dead_one_is_succeeded(opened):
    now = [datetime(2025, 7, 1, tzinfo=UTC)]
    workspace = opened(lambda: now[0])
    act(workspace, 0, 4)
    first, second = Journal(workspace), Journal(workspace)
    assert first.sequence(1) == 1
    assert second.sequence() == 0, "the first holds the lease"
    now[0] += timedelta(seconds=11)
    assert second.sequence(1) == 1
    assert first.sequence() == 0
    assert second.tick() == 2
    assert audit(workspace) == ()


def test_two_sequencers_that_keep_losing_the_lease_make_one_tree(opened):
    """Each look at the clock is an hour later, so no lease holds: only the transactions keep them apart."""
    ticks = iter(range(10**9))

    def clock() -> datetime:
        return datetime(2025, 7, 1, tzinfo=UTC) + timedelta(hours=next(ticks))

    workspace = opened(clock)
    act(workspace, 0, 60)
    failed = []

    def work(opened: Workspace) -> None:
        journal = Journal(opened)
        try:
            while (head := journal.head()) is None or head.size < 60:
                journal.sequence(1)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    others = [workspace, opened(clock)]
    threads = [threading.Thread(target=work, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert audit(workspace) == ()
    assert len(hashes(workspace)) == 60


SEQUENCER = """
import sys
from jiqun.store import Workspace
from jiqun.store.journal import Journal
journal = Journal(Workspace.open(sys.argv[1]))
print("ready", flush=True)
while True:
    journal.sequence(2)
"""


def test_a_sequencer_killed_anywhere_leaves_a_whole_tree(opened):
    workspace = opened()
    heads = []
    for number in range(4):
        act(workspace, number * 60, number * 60 + 60)
        with subprocess.Popen([sys.executable, "-c", SEQUENCER, str(workspace.path)], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            time.sleep(random.uniform(0, 0.2))
            child.send_signal(signal.SIGKILL)
        assert audit(workspace) == ()
        if head := Journal(workspace).head():
            heads.append(head)
    later = opened(lambda: system_clock() + timedelta(minutes=1))  # when the lease of the last one is over
    journal = Journal(later)
    journal.tick()
    assert audit(later) == ()
    newest = journal.head()
    assert newest.size == 240
    for head in heads:
        steps = journal.consistency_proof(head.size)
        assert proof.verify_consistency(head.size, 240, steps, head.root, newest.root)


@SQLITE
def test_the_key_is_private_and_never_replaced(workspace, journal):
    keys = workspace.path / "keys"
    assert stat.S_IMODE((keys / "journal.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert sorted(path.name for path in keys.iterdir()) == ["journal.pem", "journal.pub"]
    other = keys / "journal.pem"
    kept = other.read_bytes()
    act(workspace, 13, 14)
    other.unlink()
    with pytest.raises(WorkspaceError, match="JQ-JOURNAL-001"):
        journal.tick()
    other.write_bytes(b"no key")
    with pytest.raises(WorkspaceError, match="JQ-JOURNAL-002"):
        journal.tick()
    other.write_bytes(foreign_key())
    with pytest.raises(WorkspaceError, match="JQ-JOURNAL-001"):
        journal.tick()
    other.write_bytes(kept)
    assert journal.tick() == 1
    assert audit(workspace) == ()


def foreign_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_erasing_keeps_the_tree_and_hides_the_content(workspace, journal):
    head = journal.head()
    old = json.loads(json.dumps(journal.bundle([3, 4], opened=True)))
    assert proof.verify_bundle(old).ok
    erased = workspace.database.command(OPERATOR, "erase", "test.erase", lambda tx: erase(tx, [3]))
    assert erased == 1
    assert workspace.database.command(OPERATOR, "again", "test.erase", lambda tx: erase(tx, [3])) == 0
    with workspace.database.read() as connection:
        leaf = connection.execute(select(table("leaves")).where(table("leaves").c.id == 3)).one()
        command = connection.execute(select(table("commands")).where(table("commands").c.leaf == 3)).one()
    assert leaf.salt is None
    assert (command.answer, command.request_digest) == (None, "")
    journal.tick()
    assert audit(workspace) == ()
    bundle = journal.bundle([3, 4], since=[13], opened=True)
    assert "opening" not in bundle["leaves"][0]
    assert bundle["leaves"][1]["opening"]["answer"] == {"number": 3, "text": "集群"}
    report = proof.verify_bundle(bundle)
    assert report.ok
    assert journal.head(13) == head
    assert any("leaf 2" in en and "erased" in en for _, en in report.limits)
    with pytest.raises(UsageError, match="JQ-STORE-030"):
        act(workspace, 2, 3)


@SQLITE
def test_who_has_the_request_can_show_it(workspace, journal):
    bundle = journal.bundle([3], opened=True, requests={3: {"number": 2}})
    report = proof.verify_bundle(json.loads(json.dumps(bundle)))
    assert report.ok
    assert "The request shown for leaf 2 is the one recorded" in report.render("en")
    bundle["leaves"][0]["request"] = {"number": 3}
    report = proof.verify_bundle(bundle)
    assert not report.ok
    assert "第 2 叶所附的请求不是当时记录的请求" in report.render("zh")


@SQLITE
@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("leaves", {"subject": "x"}, {"journal/leaves/4": "changed"}),
        ("leaves", {"hash": bytes(32)}, None),
        ("leaves", {"salt": bytes(32)}, {"journal/commands/acc_operator/key 3": "contradiction"}),
        ("leaves", {"salt": None}, {"journal/commands/acc_operator/key 3": "contradiction"}),
        ("leaves", {"position": 99}, {"journal/positions/3": "missing"}),
        ("leaves", {"position": None}, {"journal/positions/3": "missing"}),
        ("commands", {"answer": {"number": 4}}, {"journal/commands/acc_operator/key 3": "contradiction"}),
        ("commands", {"operation": "test.other"}, {"journal/commands/acc_operator/key 3": "contradiction"}),
        ("nodes", {"hash": bytes(32)}, {"journal/nodes/1/3": "changed"}),
        ("heads", {"root": bytes(32)}, {"journal/heads/5": "unsigned changed"}),
        ("heads", {"signature": bytes(64)}, {"journal/heads/5": "unsigned"}),
        ("heads", {"size": 6}, {"journal/heads/6": "unsigned changed"}),
    ],
)
def test_an_audit_sees_what_was_tampered_with(workspace, journal, name, change, expected):
    changed = table(name)
    which = {
        "leaves": changed.c.get("id") == 4,
        "commands": changed.c.get("leaf") == 4,
        "nodes": (changed.c.get("level") == 1) & (changed.c.get("position") == 3) if name == "nodes" else None,
        "heads": changed.c.get("size") == 5,
    }[name]
    workspace.database.upkeep(
        lambda connection: connection.execute(update(changed).where(which).values(change)) and None
    )
    found: dict[str, str] = {}
    for flaw in audit(workspace):
        found[flaw.where] = f"{found[flaw.where]} {flaw.problem}" if flaw.where in found else flaw.problem
    if expected is None:  # everything that rests on the leaf
        assert {"journal/leaves/4", "journal/heads/5", "journal/heads/13", "journal/nodes/1/1"} <= found.keys()
    else:
        assert found == expected


@SQLITE
def test_an_audit_sees_what_was_removed_or_added(workspace, journal):
    def run(*statements):
        def all_of_them(connection):
            if workspace.database.sqlite:
                connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for statement in statements:
                connection.execute(statement)

        workspace.database.upkeep(all_of_them)

    nodes, heads, commands = table("nodes"), table("heads"), table("commands")
    run(delete(nodes).where(nodes.c.level == 2, nodes.c.position == 0))
    assert audit(workspace) == (Flaw("journal/nodes/2/0", "missing"),)
    run(insert(nodes).values(level=2, position=0, hash=proof.root(hashes(workspace)[:4])))
    run(insert(nodes).values(level=9, position=0, hash=bytes(32)))
    assert audit(workspace) == (Flaw("journal/nodes", "unexpected"),)
    run(delete(nodes).where(nodes.c.level == 9))
    run(delete(heads).where(heads.c.size == 13))
    assert audit(workspace) == (Flaw("journal/heads/13", "missing"),)
    run(delete(commands).where(commands.c.leaf == 2))
    assert audit(workspace) == (Flaw("journal/leaves/2", "contradiction"), Flaw("journal/heads/13", "missing"))


@SQLITE
def test_a_bundle_proves_what_it_claims_and_says_what_it_cannot(workspace, journal):
    bundle = json.loads(json.dumps(journal.bundle([1, 13], since=[5])))
    report = proof.verify_bundle(bundle)
    assert report.ok
    assert len(report.findings) == 5
    assert "comes from this bundle" in report.render("en")
    assert "comes from this bundle" not in proof.verify_bundle(bundle, journal.public_key()).render("en")
    assert not proof.verify_bundle(bundle, bytes(32)).ok


def strings(value, at=()):
    """Every place in a bundle that holds a text or a number."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from strings(one, (*at, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from strings(one, (*at, number))
    else:
        yield at, value


def mutations(value, randomness):
    """What a forger might put in the place of a value."""
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 1, None, str(value), float(value) + 0.5]
    cut = randomness.randrange(len(value)) if value else 0
    other = value[:cut] + ("1" if value[cut : cut + 1] != "1" else "0") + value[cut + 1 :]
    return [other, value + "0", value[:-1], "" if value else "x", None, 7, [value]]


@SQLITE
def test_every_mutation_of_a_bundle_is_rejected(workspace, journal):
    text = json.dumps(journal.bundle([2, 13], since=[5], opened=True, requests={2: {"number": 1}}))
    randomness = random.Random(1)
    tried = 0
    for at, value in strings(json.loads(text)):
        for mutated in mutations(value, randomness):
            bundle = json.loads(text)
            inner = bundle
            for step in at[:-1]:
                inner = inner[step]
            inner[at[-1]] = mutated
            if at[-1] in {"signature", "key"} and isinstance(mutated, str) and same64(mutated, value):
                continue  # the last characters of base64 may hold bits that mean nothing
            assert not proof.verify_bundle(bundle).ok, (at, mutated)
            tried += 1
    assert tried > 250


def same64(one: str, other: str) -> bool:
    try:
        return base64.b64decode(one, validate=True) == base64.b64decode(other, validate=True)
    except ValueError:
        return False


@SQLITE
def test_a_bundle_that_is_none_is_told_where_it_is_wrong(workspace, journal):
    good = journal.bundle([1])
    for value in (
        None,
        7,
        [],
        {},
        "x",
        {**good, "v": 2},
        {**good, "extra": 1},
        {**good, "head": []},
        {**good, "leaves": {}},
    ):
        report = proof.verify_bundle(value)
        assert not report.ok
        assert "malformed" in report.findings[-1].en
    for text in ('{"a": 1, "a": 2}', "NaN", "[" * 100_000, "{", "\xff", "1" * 5000):
        with pytest.raises(ValueError, match=r"."):
            proof.parse_bundle(text.encode("latin-1"))
    odd = json.loads(json.dumps(good))
    odd["leaves"][0]["data"]["actor"] = "\x1b[31m\u202e\ud800"
    text = proof.verify_bundle(odd).render("en")
    assert "\x1b" not in text
    assert "\u202e" not in text


@SQLITE
def test_the_standalone_file_needs_nothing_of_jiqun(workspace, journal, tmp_path):
    source = tmp_path / "proof.py"
    shutil.copy(proof.__file__, source)
    bundle, pinned = tmp_path / "bundle.json", workspace.path / "keys" / "journal.pub"
    bundle.write_text(json.dumps(journal.bundle([1, 2], since=[5], opened=True)))

    def check(*arguments):
        # no site-packages path of this checkout: cryptography is found, jiqun is not
        program = f"import sys; sys.modules['jiqun'] = None; sys.argv = {['proof.py', *map(str, arguments)]!r}; "
        program += f"import runpy; runpy.run_path({str(source)!r}, run_name='__main__')"
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
        )

    done = check(bundle, "--key", pinned, "--language", "zh")
    assert (done.returncode, done.stderr) == (0, "")
    assert "公钥就是您给出的公钥" in done.stdout
    key = base64.b64encode(journal.public_key()).decode()
    assert check(bundle, "--key", key).returncode == 0
    assert check(bundle, "--key", base64.b64encode(bytes(32)).decode()).returncode == 1
    assert check(bundle, "--key", "nonsense").returncode == 2
    assert check(tmp_path / "none.json").returncode == 2
    bundle.write_text(bundle.read_text().replace("test.act", "test.pay", 1))
    done = check(bundle, "--language", "en")
    assert done.returncode == 1
    assert "is NOT in the tree" in done.stdout


def test_following_numbers_what_comes_until_it_is_stopped(workspace):
    journal, stop = Journal(workspace), threading.Event()
    thread = threading.Thread(target=journal.follow, args=(stop,), kwargs={"every_seconds": 0.01})
    thread.start()
    act(workspace, 0, 5)
    while len(hashes(workspace)) < 5:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert audit(workspace) == ()
    assert journal.head().size == 5


def test_commands_and_the_sequencer_do_not_keep_each_other_from_working(workspace):
    """On PostgreSQL each may have to give way to the other and try again; none gives up."""
    journal, stop = Journal(workspace), threading.Event()
    following = threading.Thread(target=journal.follow, args=(stop,), kwargs={"every_seconds": 0.001})
    following.start()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(act, workspace, number * 25, number * 25 + 25) for number in range(4)]:
            done.result()
    stop.set()
    following.join()
    journal.tick()
    assert audit(workspace) == ()
    assert journal.head().size == 100


@SQLITE
def test_a_head_says_which_key(journal):
    head = journal.head()
    with pytest.raises(WorkspaceError, match="JQ-JOURNAL-001"):
        journal.public_key(replace(head, key_id="0" * 64))


@SQLITE
def test_many_leaves_make_few_nodes(workspace, journal):
    with workspace.database.read() as connection:
        count = connection.scalar(select(func.count()).select_from(table("nodes")))
    assert count == 13 - (13).bit_count()
