"""claxon/taxonomy.py: one table from codes, types and statuses to categories."""

from __future__ import annotations

import pytest
from claxon.taxonomy import KINDS, Category, classify, typical_status
from hypothesis import given
from hypothesis import strategies as st

RETRYABLE = {"rate_limit", "server", "overloaded", "timeout", "connection", "conflict"}


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (None, "ok"), (200, "ok"), (204, "ok"), (299, "ok"),
        (400, "invalid_request"), (401, "authentication"), (402, "account"), (403, "permission"), (404, "not_found"),
        (408, "timeout"), (409, "conflict"), (413, "too_large"), (422, "invalid_request"), (429, "rate_limit"),
        (500, "server"), (502, "server"), (503, "server"), (504, "timeout"), (520, "server"), (529, "overloaded"),
        (599, "server"), (302, "unknown"), (100, "unknown"),
    ],
)  # fmt: skip
def test_a_status_alone_says_the_category(status: int | None, category: str) -> None:
    assert classify(None, None, status) == category


@pytest.mark.parametrize(
    ("error_type", "category"),
    [
        ("invalid_request_error", "invalid_request"), ("authentication_error", "authentication"),
        ("billing_error", "account"), ("permission_error", "permission"), ("not_found_error", "not_found"),
        ("request_too_large", "too_large"), ("rate_limit_error", "rate_limit"), ("api_error", "server"),
        ("overloaded_error", "overloaded"), ("timeout_error", "timeout"), ("throttlingException", "overloaded"),
        ("RateLimitError", "rate_limit"), ("anthropic.RateLimitError", "rate_limit"),
        ("APITimeoutError", "timeout"), ("APIConnectionError", "connection"), ("AuthenticationError", "authentication"),
        ("InternalServerError", "server"), ("httpx.ReadTimeout", "timeout"), ("RemoteProtocolError", "connection"),
        ("CredentialsError", "authentication"), ("CancelledError", "cancelled"), ("529", "overloaded"),
    ],
)  # fmt: skip
def test_an_api_type_and_an_exceptions_name_are_one_row(error_type: str, category: str) -> None:
    assert classify(None, error_type, None) == category


@pytest.mark.parametrize("category", [c.value for c in Category if c is not Category.OK])
def test_a_category_names_itself(category: str) -> None:
    assert classify(None, category, None) == category


@pytest.mark.parametrize(
    ("code", "error_type", "status", "category"),
    [
        ("enforced_spend_limit_reached", "rate_limit_error", 429, "account"),
        ("contract_spend_limit_reached", "rate_limit_error", 429, "account"),
        ("ramp_limit_exceeded", "rate_limit_error", 429, "rate_limit"),
        ("organization_on_hold", "invalid_request_error", 400, "account"),
        ("cmek_key_disabled", "permission_error", 403, "account"),
        ("some_new_code", "rate_limit_error", 429, "rate_limit"),
        (None, "overloaded_error", 200, "overloaded"),
        (None, "InternalServerError", 529, "overloaded"),
        (None, "APIStatusError", 503, "server"),
        (None, "SomethingNew", 503, "server"),
        (None, "SomethingNew", 200, "unknown"),
    ],
)
def test_the_code_goes_before_the_type_and_the_type_before_the_status(
    code: str | None, error_type: str, status: int, category: str
) -> None:
    assert classify(code, error_type, status) == category


@pytest.mark.parametrize("category", Category)
def test_what_is_retryable_is_what_may_succeed_a_moment_later(category: Category) -> None:
    assert KINDS[category].retryable is (category.value in RETRYABLE)


@pytest.mark.parametrize("category", Category)
def test_every_category_says_what_to_do(category: Category) -> None:
    assert KINDS[category].advice.endswith((".", "error."))


@given(st.none() | st.text(), st.none() | st.text(), st.none() | st.integers(100, 599))
def test_anything_has_a_category_and_an_error_type_is_never_a_success(
    code: str | None, error_type: str | None, status: int | None
) -> None:
    category = classify(code, error_type, status)

    assert category in Category
    assert not (error_type and category is Category.OK)


def test_an_error_has_the_status_that_it_usually_has() -> None:
    assert typical_status(None, "overloaded_error") == 529
    assert typical_status(None, "APITimeoutError") is None
