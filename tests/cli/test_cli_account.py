"""`jiqun account`: from an empty workspace to someone who can sign in."""

import json
import re

from jiqun.accounts import desk
from jiqun.store import Workspace


def test_accounts_by_command(run, tmp_path):
    folder = tmp_path / "ws"
    workspace = Workspace.init(folder)
    here = ("--workspace", folder)
    status, password, told = run("account", "add", "wang@example.org", "--role", "analyst", "--name", "王工", *here)
    assert status == 0
    assert "shown only now" in told
    assert desk.sign_in(workspace, "wang@example.org", password.strip()).account.name == "王工"

    status, changed, _ = run("account", "password", "wang@example.org", *here)
    assert status == 0
    session = desk.sign_in(workspace, "wang@example.org", changed.strip())

    status, token, _ = run("account", "token", "wang@example.org", "--name", "nightly", *here)
    assert status == 0
    assert desk.token_actor(workspace, token.strip()).account == session.account

    status, link, _ = run("account", "invite", "--role", "auditor", *here)
    assert re.fullmatch(r"/invitations/jqi_\S+\n", link)
    assert desk.look(workspace, link.strip().rpartition("/")[2]).role == "auditor"

    status, out, _ = run("account", "list", "--format", "json", *here)
    assert [(row["login"], row["role"], row["state"]) for row in json.loads(out)] == [
        ("wang@example.org", "analyst", "active")
    ]
    assert run("account", "close", "wang@example.org", *here)[0] == 0
    assert desk.session(workspace, session.secret) is None
    status, _, told = run("account", "close", "wang@example.org", *here)
    assert status == 2
    assert "JQ-ACCOUNTS-006" in told
    workspace.close()


def test_a_password_may_come_from_the_environment_and_is_not_printed(run, tmp_path, monkeypatch):
    workspace = Workspace.init(tmp_path / "ws")
    monkeypatch.setenv("JIQUN_PASSWORD", "correct horse battery")
    status, out, _ = run("account", "add", "li", "--role", "operator", "--workspace", tmp_path / "ws")
    assert (status, out) == (0, "")
    assert desk.sign_in(workspace, "li", "correct horse battery")
    status, _, told = run("account", "add", "Li", "--role", "operator", "--workspace", tmp_path / "ws")
    assert status == 1
    assert "JQ-ACCOUNTS-005" in told
    workspace.close()
