"""What depends on the engine, once more on PostgreSQL."""

# ruff: noqa: F401  # pytest collects what is imported

import pytest
from test_accounts_notices import (
    expected_errors,
    mail_settings,
    outbox,
    reader,
    robot,
    test_a_source_is_told_once_whatever_is_repeated,
    test_many_followers_are_told_in_parts,
    test_too_many_messages_are_sent_later,
)
from test_accounts_operations import actors, test_a_role_reaches_what_is_declared_and_nothing_else
from test_accounts_own_data import (
    test_a_firm_is_claimed_by_credit_code_with_an_invitation,
    test_a_look_is_noted_once_a_day_and_of_oneself_never,
    test_a_statement_taken_back_is_forgotten_everywhere,
    test_accepting_again_with_the_same_key_answers_the_same_account,
    test_adding_again_with_the_same_key_makes_no_second_account,
    test_statements_are_withdrawn_at_once_and_publication_by_an_answer,
    test_the_export_holds_all_that_is_held_and_nothing_of_others,
    test_the_last_statement_counts_even_within_one_second,
    test_two_processes_note_a_look_once,
)
from test_accounts_sign_in import (
    test_a_closed_account_cannot_sign_in_and_is_forgotten,
    test_a_new_password_ends_every_session,
    test_a_session_ends_when_idle_and_at_the_latest_after_a_week,
    test_guesses_at_once_are_no_more_than_guesses_in_a_row,
    test_two_first_starts_at_once_make_one_operator,
)


@pytest.fixture
def url(postgres_database: str) -> str:
    return postgres_database
