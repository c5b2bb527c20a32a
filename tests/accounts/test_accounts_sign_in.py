"""Passwords, sign-in, lock-out, sessions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from accounts_nursery import GOOD, Hands, account
from argon2 import PasswordHasher
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from jiqun.accounts import desk, passwords, sessions
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, PermissionDeniedError
from jiqun.store import Workspace
from jiqun.store.database import new_key, table
from jiqun.store.journal import Journal


def row(workspace, name, **where):
    rows = table(name)
    query = select(rows)
    for column, value in where.items():
        query = query.where(rows.c[column] == value)
    with workspace.database.read() as connection:
        return connection.execute(query).mappings().one_or_none()


def refused(workspace, login, password):
    with pytest.raises(PermissionDeniedError) as error:
        desk.sign_in(workspace, login, password)
    assert error.value.code == "JQ-ACCOUNTS-001"


def test_a_default_digest_is_argon2id_of_64_mib(monkeypatch):
    monkeypatch.undo()
    digest = passwords.digest(GOOD)
    assert digest.startswith("$argon2id$v=19$m=65536,t=3,p=2$")
    assert passwords.verify(digest, GOOD)
    assert not passwords.verify(digest, GOOD + "!")


def test_full_width_letters_of_an_input_method_are_the_same_password():
    assert passwords.verify(passwords.digest("ｃｏｒｒｅｃｔ１２３"), "correct123")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "JQ-ACCOUNTS-002"),
        ("九个汉字不够长的吧", "JQ-ACCOUNTS-002"),
        ("x" * 1025, "JQ-ACCOUNTS-002"),
        ("汉" * 400, "JQ-ACCOUNTS-002"),
        ("wang@example.org", "JQ-ACCOUNTS-003"),
        ("WANG@example.org", "JQ-ACCOUNTS-003"),
        ("Password123", "JQ-ACCOUNTS-003"),
        ("woaini1314", "JQ-ACCOUNTS-003"),
        ("abababababab", "JQ-ACCOUNTS-003"),
    ],
)
def test_weak_passwords_are_refused(password, code):
    with pytest.raises(InputError) as error:
        passwords.check_strength(password, "wang@example.org")
    assert error.value.code == code


def test_nobody_signs_in_under_the_id_of_another(workspace):
    other = account(workspace, "operator", login="a1")
    for login in (other.id, other.id.upper(), "closed:a1"):
        with pytest.raises(InputError, match="JQ-ACCOUNTS-004"):
            account(workspace, "analyst", login=login)


def test_a_password_longer_than_its_bound_is_wrong_and_not_cut_to_it(workspace):
    account(workspace, "analyst", login="a1", password="x1y2" * 256)
    assert desk.sign_in(workspace, "a1", "x1y2" * 256)
    refused(workspace, "a1", "x1y2" * 256 + "z")
    refused(workspace, "a1", "\ud800" * 20)


def test_the_first_start_makes_an_operator_once(workspace):
    first = desk.first_operator(workspace)
    assert first.login == "operator"
    assert desk.sign_in(workspace, "Operator ", first.password).account.role == "operator"
    assert desk.first_operator(workspace) is None


def test_the_first_password_may_be_given_and_is_then_not_told(workspace):
    with pytest.raises(InputError):
        desk.first_operator(workspace, password="operator")  # noqa: S106
    assert desk.first_operator(workspace, password=GOOD).password is None
    assert desk.sign_in(workspace, "operator", GOOD)


def test_two_first_starts_at_once_make_one_operator(workspace):
    start = threading.Barrier(4)

    def begin(_):
        start.wait()
        return desk.first_operator(workspace)

    with ThreadPoolExecutor(4) as pool:
        made = [one for one in pool.map(begin, range(4)) if one]
    assert len(made) == 1
    assert desk.sign_in(workspace, "operator", made[0].password)


def test_an_unknown_name_costs_a_digest_and_a_command_like_a_known_one(workspace, monkeypatch):
    account(workspace, "analyst", login="known")
    digests = []

    class Counting(PasswordHasher):
        def verify(self, hash, password):  # noqa: A002
            digests.append(hash)
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Counting(time_cost=1, memory_cost=8, parallelism=1))
    passed = []
    for login in ("known", "unknown", "closed:acc", "\ud800"):
        before = len(Journal(workspace).entries(limit=1000))
        refused(workspace, login, "wrong password")
        passed.append((len(digests), len(Journal(workspace).entries(limit=1000)) - before))
        digests.clear()
    assert passed == [(1, 1)] * 4


def test_neither_secret_nor_password_is_stored_or_told(workspace):
    account(workspace, "analyst", login="a1")
    session = desk.sign_in(workspace, "a1", GOOD)
    assert session.secret not in repr(session)
    assert session.csrf not in repr(session)
    desk.change_password(session.actor, workspace, GOOD, GOOD + " 2", key=new_key())
    invited = desk.invite(LOCAL, workspace, "analyst", key=new_key())
    token = desk.make_token(session.actor, workspace, name="t", scopes=["read"], days=1, key=new_key())
    workspace.database.close()
    content = b"".join(path.read_bytes() for path in workspace.path.glob("jiqun.db*"))
    assert b"argon2id" in content
    for secret in (session.secret, GOOD, invited.secret, token.secret):
        assert secret.encode() not in content
    workspace.close()


def test_sign_in_makes_a_new_session_and_ends_the_one_it_replaces(workspace):
    account(workspace, "analyst", login="a1")
    first = desk.sign_in(workspace, "a1", GOOD)
    second = desk.sign_in(workspace, "a1", GOOD, replaces=first.secret)
    assert first.secret != second.secret
    assert first.csrf != second.csrf
    assert desk.session(workspace, first.secret) is None
    assert desk.session(workspace, second.secret).account.login == "a1"
    desk.sign_out(workspace, second.secret)
    assert desk.session(workspace, second.secret) is None
    desk.sign_out(workspace, second.secret)


@pytest.mark.parametrize("secret", [None, "", "x", "\ud800", "a" * 10_000])
def test_what_is_no_secret_opens_nothing(workspace, secret):
    assert desk.session(workspace, secret) is None


def test_a_session_ends_when_idle_and_at_the_latest_after_a_week(workspace, clock):
    account(workspace, "analyst", login="a1")
    session = desk.sign_in(workspace, "a1", GOOD)
    for _ in range(13):
        clock.move(hours=11, minutes=59)
        assert desk.session(workspace, session.secret)
        desk.flush(workspace)
    clock.move(hours=11, minutes=59)
    assert desk.session(workspace, session.secret)
    desk.flush(workspace)
    clock.move(minutes=14)
    assert desk.session(workspace, session.secret) is None  # 7 days
    idle = desk.sign_in(workspace, "a1", GOOD)
    clock.move(hours=12)
    assert desk.session(workspace, idle.secret) is None


def test_last_use_is_written_at_most_once_a_minute_and_leaves_no_leaf(workspace, clock):
    account(workspace, "analyst", login="a1")
    session = desk.sign_in(workspace, "a1", GOOD)
    began = clock.now
    leaves = len(Journal(workspace).entries(limit=1000))
    clock.move(seconds=59)
    desk.session(workspace, session.secret)
    desk.flush(workspace)
    assert row(workspace, "sessions")["seen_at"] == began
    clock.move(seconds=1)
    desk.session(workspace, session.secret)
    desk.flush(workspace)
    assert row(workspace, "sessions")["seen_at"] == clock.now
    assert len(Journal(workspace).entries(limit=1000)) == leaves


def test_sessions_that_are_over_are_swept(workspace, clock):
    account(workspace, "analyst", login="a1")
    desk.sign_in(workspace, "a1", GOOD)
    clock.move(days=8)
    desk.sign_in(workspace, "a1", GOOD)
    with workspace.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(table("sessions"))).scalar() == 1


def test_a_new_password_ends_every_session(workspace):
    account(workspace, "analyst", login="a1")
    one, other = (desk.sign_in(workspace, "a1", GOOD) for _ in range(2))
    with pytest.raises(PermissionDeniedError, match="JQ-ACCOUNTS-015"):
        desk.change_password(one.actor, workspace, "wrong password", GOOD + " 2", key=new_key())
    with pytest.raises(InputError, match="JQ-ACCOUNTS-003"):
        desk.change_password(one.actor, workspace, GOOD, "qwertyuiop", key=new_key())
    assert desk.session(workspace, one.secret)
    desk.change_password(one.actor, workspace, GOOD, GOOD + " 2", key=new_key())
    assert desk.session(workspace, one.secret) is None
    assert desk.session(workspace, other.secret) is None
    refused(workspace, "a1", GOOD)
    assert desk.open_session(workspace, one.account.id).account.login == "a1"


def test_a_new_role_ends_every_session(workspace):
    found = account(workspace, "analyst", login="a1")
    session = desk.sign_in(workspace, "a1", GOOD)
    desk.set_role(LOCAL, workspace, found.id, "auditor", key=new_key())
    assert desk.session(workspace, session.secret) is None
    assert desk.sign_in(workspace, "a1", GOOD).actor.roles == {"auditor", "public"}


def test_a_digest_of_other_parameters_is_renewed_at_sign_in(workspace, monkeypatch):
    found = account(workspace, "analyst", login="a1")
    before = row(workspace, "accounts", id=found.id)["password_digest"]
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    desk.sign_in(workspace, "a1", GOOD)
    after = row(workspace, "accounts", id=found.id)["password_digest"]
    assert "t=1" in before
    assert "t=2" in after
    desk.sign_in(workspace, "a1", GOOD)
    assert row(workspace, "accounts", id=found.id)["password_digest"] == after


def test_a_password_changed_while_another_signs_in_with_the_old_one_lets_nobody_in(workspace, monkeypatch):
    found = account(workspace, "analyst", login="a1")
    verify = passwords.verify

    def slow(known, password):
        answer = verify(known, password)
        monkeypatch.setattr(passwords, "verify", verify)
        desk.set_password(LOCAL, workspace, found, GOOD + " 2", key=new_key())
        return answer

    monkeypatch.setattr(passwords, "verify", slow)
    refused(workspace, "a1", GOOD)


def test_guesses_at_once_are_no_more_than_guesses_in_a_row(workspace, monkeypatch):
    account(workspace, "analyst", login="a1")
    looked_at = []
    start = threading.Barrier(12)

    def guess(number):
        start.wait()
        try:
            desk.sign_in(workspace, "a1", f"wrong password {number}")
        except PermissionDeniedError:
            looked_at.append(number)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(guess, range(12)))
    assert len(looked_at) == 12
    assert row(workspace, "accounts", login="a1")["failures"] == sessions.FREE_ATTEMPTS
    refused(workspace, "a1", GOOD)


def test_a_closed_account_cannot_sign_in_and_is_forgotten(workspace):
    found = account(workspace, "analyst", login="wang@example.org")
    session = desk.sign_in(workspace, "wang@example.org", GOOD)
    token = desk.make_token(session.actor, workspace, name="t", scopes=["read"], days=1, key=new_key())
    desk.close(session.actor, workspace, found.id, key=new_key())
    assert desk.session(workspace, session.secret) is None
    assert desk.token_actor(workspace, token.secret) is None
    refused(workspace, "wang@example.org", GOOD)
    refused(workspace, f"closed:{found.id}", GOOD)
    with pytest.raises(PermissionDeniedError):
        desk.open_session(workspace, found.id)
    kept = row(workspace, "accounts", id=found.id)
    assert "wang" not in str(dict(kept))
    assert account(workspace, "analyst", login="wang@example.org").id != found.id


def test_the_last_operator_stays(workspace):
    desk.first_operator(workspace, password=GOOD)
    operator = desk.find(workspace, "operator")
    for leave in (
        lambda: desk.close(operator.actor, workspace, operator.id, key=new_key()),
        lambda: desk.set_role(operator.actor, workspace, operator.id, "analyst", key=new_key()),
    ):
        with pytest.raises(InputError, match="JQ-ACCOUNTS-014"):
            leave()
    account(workspace, "operator")
    desk.close(operator.actor, workspace, operator.id, key=new_key())


class SignIn(RuleBasedStateMachine):
    """Right and wrong passwords in any order, at any time, against the rule said in words."""

    @initialize()
    def begin(self):
        self.folder = TemporaryDirectory()
        self.clock = Hands()
        self.workspace = Workspace.init(Path(self.folder.name) / "ws", clock=self.clock)
        account(self.workspace, "analyst", login="a1")
        self.failures, self.until = 0, self.clock.now

    def attempt(self, password):
        try:
            return desk.sign_in(self.workspace, "a1", password)
        except PermissionDeniedError:
            return None

    def pauses(self):
        return self.clock.now < self.until

    @rule()
    def wrong(self):
        paused = self.pauses()
        assert self.attempt("wrong password") is None
        if not paused:
            self.failures += 1
            if self.failures >= 5:
                self.until = self.clock.now + min(timedelta(minutes=2 ** (self.failures - 5)), timedelta(minutes=15))

    @rule()
    def right(self):
        session = self.attempt(GOOD)
        assert (session is None) == self.pauses()
        if session is not None:
            self.failures, self.until = 0, self.clock.now
            assert desk.session(self.workspace, session.secret)

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 61, 120, 299, 900, 4000]))
    def wait(self, seconds):
        self.clock.move(seconds=seconds)

    @invariant()
    def the_row_says_the_same(self):
        if hasattr(self, "workspace"):
            assert row(self.workspace, "accounts", login="a1")["failures"] == self.failures

    def teardown(self):
        if hasattr(self, "workspace"):
            self.workspace.close()
            self.folder.cleanup()


TestSignIn = SignIn.TestCase
TestSignIn.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
