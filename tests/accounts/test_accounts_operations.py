"""Every operation of the room, in every role, for one's own and another's organisation: exactly what is declared."""

import pytest
from accounts_nursery import account
from pydantic import ValidationError

from jiqun.accounts import operations
from jiqun.accounts.operations import ROOM
from jiqun.core.actor import Actor
from jiqun.core.errors import JiqunError, PermissionDeniedError
from jiqun.core.operation import EVERYWHERE
from jiqun.store.database import new_key

ONE, TWO = "o0000001", "o0000002"
ROLES = ("operator", "analyst", "member", "auditor", "public")
BY_ROLE = {
    "operator": "me accounts set_role close invite invitations own_invitations withdraw_invitation tokens make_token "
    "revoke_token record views my_data withdrawals own_withdrawals answer_withdrawal follow unfollow follows notices "
    "mark_read channels add_channel switch_channel drop_channel test_channel",
    "analyst": "me close tokens make_token revoke_token follow unfollow follows notices mark_read channels add_channel "
    "switch_channel drop_channel test_channel",
    "member": "me close invite own_invitations withdraw_invitation tokens make_token revoke_token claim record state "
    "take_back views my_data withdraw own_withdrawals follow unfollow follows notices mark_read channels add_channel "
    "switch_channel drop_channel test_channel",
    "auditor": "me accounts close invitations own_invitations tokens make_token revoke_token record views my_data "
    "withdrawals own_withdrawals follow unfollow follows notices mark_read channels add_channel switch_channel "
    "drop_channel test_channel",
    "public": "",
}
"""What each role may, written down once more, so that no declaration changes by accident."""
OWN = {"invite", "own_invitations", "record", "state", "take_back", "views", "my_data", "withdraw", "own_withdrawals"}
GIVEN = {
    "set_role": {"account": "acc_x", "role": "analyst"},
    "close": {"account": "acc_x"},
    "invite": {"role": "member"},
    "withdraw_invitation": {"invitation": "inv_x"},
    "make_token": {"name": "t", "scopes": ("read",)},
    "revoke_token": {"token": "tok_x"},
    "claim": {"invitation": "jqi_x"},
    "state": {"values": {"employees": "5"}},
    "withdraw": {"what": "publication"},
    "answer_withdrawal": {"withdrawal": "wd_x", "agreed": True, "words": "好"},
    "follow": {"kind": "cluster", "subject": "clusters/c0001"},
    "unfollow": {"kind": "cluster", "subject": "clusters/c0001"},
    "add_channel": {"kind": "wecom", "address": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1"},
    "switch_channel": {"channel": "chan_x", "on": True},
    "drop_channel": {"channel": "chan_x"},
    "test_channel": {"channel": "chan_x"},
}


def request_of(name, organisation):
    operation = ROOM.operations[name]
    given = dict(GIVEN.get(name, {}))
    if "organisation" in operation.request.model_fields and (operation.own or name == "accounts"):
        given["organisation"] = organisation
    return operation.request(**given)


@pytest.fixture
def actors(workspace):
    made = {role: account(workspace, role).actor for role in ("operator", "analyst", "auditor")}
    made["member"] = account(workspace, "member", organisation=ONE).actor
    made["public"] = Actor("public", frozenset({"public"}))
    return made


def refused_by(operation, actor, workspace, request):
    """The code by which an actor is refused; None where the operation is reached, whatever comes of it."""
    more = {"key": new_key()} if operation.writes else {}
    try:
        operation(actor, workspace, request, **more)
    except PermissionDeniedError as error:
        return error.code
    except JiqunError:
        return None
    return None


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_what_is_declared_and_nothing_else(workspace, actors, role):
    actor, may = actors[role], set(BY_ROLE[role].split())
    for name, operation in ROOM.operations.items():
        assert (operation.own == "organisation") == (name in OWN)
        for organisation in (ONE, TWO):
            refused = refused_by(operation, actor, workspace, request_of(name, organisation))
            if name not in may:
                assert refused == "JQ-USE-002", name
            elif name in OWN and role not in EVERYWHERE and organisation != ONE:
                assert refused == "JQ-USE-009", name
            elif name == "close" and role != "operator":
                assert refused == "JQ-USE-002"  # of another's account
            else:
                assert refused is None, name


def test_a_member_without_an_organisation_reaches_none(workspace):
    loose = account(workspace, "member").actor
    for name in sorted(OWN):
        operation = ROOM.operations[name]
        more = {"key": new_key()} if operation.writes else {}
        with pytest.raises(PermissionDeniedError):
            operation(loose, workspace, request_of(name, ONE), **more)


def test_commands_take_a_key_and_questions_do_not(workspace, actors):
    for operation in ROOM.operations.values():
        named = operation.function.__kwdefaults__ or {}
        assert (
            "key" in operation.function.__code__.co_varnames[: 3 + operation.function.__code__.co_kwonlyargcount]
        ) == operation.writes
        assert "key" not in named


def test_every_text_of_a_request_is_bounded():
    for operation in ROOM.operations.values():
        for name, field in operation.request.model_fields.items():
            schema = operation.request.model_json_schema()["properties"][name]
            texts = [part for part in (schema, *schema.get("anyOf", ())) if part.get("type") == "string"]
            assert all("maxLength" in part or "enum" in part or "pattern" in part for part in texts), (
                operation.name,
                name,
                field,
            )


def test_a_token_is_answered_once(workspace, actors):
    make = ROOM.operations["make_token"]
    request = make.request(name="t", scopes=("read",))
    first, again = (make(actors["analyst"], workspace, request, key="same-key") for _ in range(2))
    assert first.secret.startswith("jqt_")
    assert again.secret is None
    assert first.token == again.token


def test_what_is_not_declared_is_refused():
    with pytest.raises(ValidationError):
        operations.FollowRequest(kind="cluster", subject="x", more=1)
    with pytest.raises(ValidationError):
        operations.StateRequest(organisation=ONE, values={f"a{n}": "x" for n in range(200)})


def test_nobody_touches_another_s_notices_tokens_or_channels(workspace, actors):
    run = {name: ROOM.operations[name] for name in ("add_channel", "drop_channel", "switch_channel", "test_channel")}
    made = run["add_channel"](actors["analyst"], workspace, request_of("add_channel", ONE), key=new_key())
    for name in ("drop_channel", "switch_channel", "test_channel"):
        request = run[name].request(**GIVEN[name] | {"channel": made.id})
        with pytest.raises(JiqunError, match="JQ-ACCOUNTS-033"):
            run[name](actors["operator"], workspace, request, key=new_key())
    assert ROOM.operations["channels"](actors["operator"], workspace, operations.Nothing()) == ()
    assert ROOM.operations["channels"](actors["analyst"], workspace, operations.Nothing())[0].shown.endswith("…ey=1")
