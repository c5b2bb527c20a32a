from datetime import UTC

import pytest

from jiqun.core.actor import LOCAL, Actor
from jiqun.core.clock import system_clock
from jiqun.core.errors import PermissionDeniedError

AUDITOR = Actor("a-1", frozenset({"auditor", "public"}))


def test_one_of_the_roles_is_enough():
    AUDITOR.require("journal.read", "operator", "auditor")
    LOCAL.require("atlas.run", "analyst")


@pytest.mark.parametrize("roles", [("operator",), ("operator", "analyst"), ()])
def test_others_are_refused_and_told_who_may(roles):
    with pytest.raises(PermissionDeniedError) as caught:
        AUDITOR.require("atlas.run", *roles)
    error = caught.value
    assert (error.code, error.exit_code) == ("JQ-USE-002", 1)
    for language in ("zh", "en"):
        text = error.render(language)
        assert "atlas.run" in text
        assert "a-1" in text
        assert all(role in text for role in roles)


def test_no_role_may_nothing():
    with pytest.raises(PermissionDeniedError):
        Actor("nobody", frozenset()).require("atlas.run", "public")


def test_the_clock_says_utc_to_the_second():
    now = system_clock()
    assert now.tzinfo is UTC
    assert now.microsecond == 0
