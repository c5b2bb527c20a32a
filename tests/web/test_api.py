"""The API as derived from the declared operations: who may what, in which form, and that nothing makes it stumble."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from samples import sample
from starlette.testclient import TestClient

from jiqun.accounts import tokens
from jiqun.core.operation import EVERYWHERE
from jiqun.store.commands import new_key
from jiqun.web import api
from jiqun.web.rooms import ROOMS

OPERATIONS = {operation.name: operation for room in ROOMS for operation in room.operations.values()}
ROLES = ("operator", "analyst", "member", "auditor", "public")
REFUSED = {"JQ-USE-002", "JQ-USE-009"}
"""What the declaration refuses; an operation may look closer (whose account, whose job) and has codes of its own."""
CLOSER = {("accounts.close", role) for role in ("analyst", "member", "auditor")}
"""Anyone may close their own account; the request made here names another's, which takes an operator."""
EXAMPLES = int(os.environ.get("JIQUN_API_EXAMPLES", "7"))
"""Generated requests for each operation."""
LIST = Path(__file__).with_name("permissions.csv")


@dataclass(frozen=True)
class Caller:
    """Someone who calls the API: as a role by token, or without one."""

    browser: TestClient
    token: str | None

    def __call__(self, operation, request):
        headers = {"Idempotency-Key": new_key()}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        address = api.PREFIX + api.path(operation)
        if operation.writes:
            return self.browser.post(address, json=request, headers=headers)
        return self.browser.get(address, params=request, headers=headers)


@pytest.fixture
def callers(workspace, browse, people):
    """Role, organisation and a way to call, for everyone there can be."""
    found = []
    for role in ROLES[:-1]:
        account = people[role]
        scopes = [f"{room.name}.*" for room in ROOMS]
        made = tokens.make(account.actor, workspace, name="test", scopes=scopes, days=1, key=new_key())
        found.append((role, account.organisation, Caller(browse(), made.secret)))
    return [*found, ("public", None, Caller(browse(), None))]


def _rows():
    return list(csv.DictReader(LIST.read_text(encoding="utf-8").splitlines()))


def test_permissions_are_those_that_were_agreed():
    """The list beside this file is read by people; a change of who may what shows there."""
    declared = [
        {
            "operation": name,
            "kind": "command" if operation.writes else "question",
            "roles": " ".join(role for role in ROLES if role in operation.roles),
            "own": operation.own or "",
        }
        for name, operation in sorted(OPERATIONS.items())
    ]
    assert _rows() == declared


def _open_to_its_roles(operation, callers):
    for role, organisation, call in callers:
        if (operation.name, role) in CLOSER:
            continue
        request = sample(operation.request.model_json_schema())
        if operation.own:
            request[operation.own] = organisation or "o-of-nobody"
        answer = call(operation, request)
        bound = operation.own and role not in EVERYWHERE
        allowed = role in operation.roles and (not bound or organisation is not None)
        refused = (
            answer.status_code == 401 or answer.json().get("code") in REFUSED if answer.status_code >= 400 else False
        )
        assert refused == (not allowed), f"{operation.name} as {role}: {answer.status_code} {answer.text[:200]}"


def test_a_question_is_open_to_its_roles_and_to_no_other(callers):
    """Over HTTP, with requests made from the declarations: others are refused, and its own roles never are."""
    questions = [operation for operation in OPERATIONS.values() if not operation.writes]
    assert len(questions) > 20
    for operation in questions:
        _open_to_its_roles(operation, callers)


@pytest.mark.parametrize("name", sorted(name for name, operation in OPERATIONS.items() if operation.writes))
def test_a_command_is_open_to_its_roles_and_to_no_other(name, callers):
    _open_to_its_roles(OPERATIONS[name], callers)


def test_an_own_operation_reaches_no_other_organisation(callers):
    own = [operation for operation in OPERATIONS.values() if operation.own]
    assert own
    for operation in own:
        for role, organisation, call in callers:
            if role in operation.roles and role not in EVERYWHERE:
                assert organisation != "o999999"
                request = sample(operation.request.model_json_schema()) | {operation.own: "o999999"}
                answer = call(operation, request)
                assert (answer.status_code, answer.json()["code"]) == (403, "JQ-USE-009"), operation.name


def test_a_command_takes_a_token_and_a_key(browse, callers):
    name = next(name for name, operation in OPERATIONS.items() if operation.writes)
    address = api.PREFIX + api.path(OPERATIONS[name])
    assert browse().post(address, json={}, headers={"Idempotency-Key": "12345678"}).status_code == 401
    token = callers[0][2].token
    answer = browse().post(address, json={}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "JQ-WEB-006"


def test_an_answer_is_not_sent_twice(browse):
    first = browse().get(f"{api.PREFIX}/atlas/clusters")
    assert first.status_code == 200
    again = browse().get(f"{api.PREFIX}/atlas/clusters", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_of_a_list_are_the_list(browse):
    address = f"{api.PREFIX}/atlas/members?cluster_id=c0001"
    whole = browse().get(f"{address}&limit=500").json()
    cursor, seen = "", []
    while cursor is not None:
        page = browse().get(f"{address}&limit=7" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += page["items"]
        cursor = page["next"]
    assert seen == whole["items"]
    assert len(seen) == whole["total"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("cursor=zzz", "JQ-USE-007"),
        ("limit=0", "JQ-WEB-006"),
        ("nonsense=1", "JQ-WEB-006"),
        ("limit=501", "JQ-WEB-006"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(browse, query, code):
    answer = browse().get(f"{api.PREFIX}/atlas/clusters?{query}")
    assert answer.status_code in {400, 422}
    problem = answer.json()
    assert (problem["code"], problem["status"]) == (code, answer.status_code)
    assert problem["title"]
    assert problem["type"] == f"urn:jiqun:error:{code}"


def test_every_operation_is_described(app):
    described = app.openapi()
    for name, operation in OPERATIONS.items():
        verb = "post" if operation.writes else "get"
        told = described["paths"][api.PREFIX + api.path(operation)][verb]
        assert told["operationId"] == name
        assert told["summary"] == f"{operation.title.en} {operation.title.zh}"
        assert operation.help, f"{name}: its function says nothing of itself"


def test_generated_requests_never_make_it_stumble(app, callers):
    """Schemathesis: requests from the description and beyond it; no answer is a 5xx."""
    local = {"Host": "localhost"}
    described = schemathesis.openapi.from_asgi(f"{api.PREFIX}/openapi.json", app, headers=local)
    token = next(call.token for role, _, call in callers if role == "operator")
    headers = local | {"Authorization": f"Bearer {token}", "Idempotency-Key": "generated-key"}
    tried: dict[str, set[int]] = {}

    def throw(case):
        answer = case.call(headers=headers)
        tried.setdefault(case.operation.path, set()).add(answer.status_code)
        assert answer.status_code < 500, case.as_curl_command()

    few = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    for found in described.get_all_operations():
        few(given(case=found.ok().as_strategy())(throw))()
    assert {api.PREFIX + api.path(operation) for operation in OPERATIONS.values()} <= tried.keys()
    assert not set().union(*tried.values()) & {401, 429}, "they must reach the operations"
