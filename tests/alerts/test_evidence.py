"""alerts/evidence.py: what a page shows of the failures behind an alert."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.evidence import MAX_SAMPLES, Evidence, error_name
from tests.support.events import NOON, exhausted


def gathered(*statuses: int) -> Evidence:
    evidence = Evidence()
    for i, status in enumerate(statuses):
        evidence.add([exhausted(NOON + i, status=status, request_id=f"req_{i}")])
    return evidence


def test_the_first_and_the_last_failure_and_one_of_each_kind_are_shown() -> None:
    evidence = gathered(500, 500, 500, 500, 500, 500, 529, 429, 500)

    shown = [sample.error for sample in evidence.samples]
    assert len(shown) == MAX_SAMPLES
    assert {"server (500)", "overloaded (529)", "rate_limit (429)"} <= set(shown)
    assert evidence.samples[0].at == NOON


def test_counts_are_of_all_failures_and_not_only_of_those_shown() -> None:
    evidence = gathered(*[500] * 20, *[529] * 3)

    assert (evidence.failures, evidence.errors["server (500)"], evidence.categories["overloaded"]) == (23, 20, 3)
    assert evidence.listing() == "server (500) × 20, overloaded (529) × 3"


def test_the_span_is_that_of_event_time_whatever_the_order() -> None:
    evidence = Evidence()
    for second in (5, 1, 9, 3):
        evidence.add([exhausted(NOON + 10, time=NOON + second)])

    assert (evidence.first_at, evidence.last_at) == (NOON + 1, NOON + 9)


def test_the_advice_is_that_of_the_most_frequent_category() -> None:
    assert "status page" in gathered(500, 500, 401).advice()
    assert gathered(500, 500, 401).blame() == "provider"


def test_request_ids_are_shown_once_each() -> None:
    evidence = Evidence()
    for i in range(3):
        evidence.add([exhausted(NOON + i, request_id="req_1")])

    assert evidence.request_ids() == ["req_1"]


@given(st.lists(st.text(min_size=1, max_size=200), max_size=60))
def test_evidence_is_bounded_however_many_kinds_of_error_there_are(names: list[str]) -> None:
    evidence = Evidence()
    for name in names:
        evidence.add([exhausted(NOON, error_type=name)])

    assert len(evidence.samples) <= MAX_SAMPLES
    assert len(evidence.errors) <= 17
    assert sum(evidence.errors.values()) == evidence.failures == len(names)


@given(st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=12), min_size=1, max_size=8))
def test_failures_that_are_taken_together_are_counted_as_one_by_one(seconds: list[list[int]]) -> None:
    """Of one kind of error at a time; the samples are the first, and the last of all."""
    kinds = (500, 529, 429)
    batches = [
        [exhausted(NOON + second, status=kinds[i % 3], request_id=f"{i} {second}") for second in batch]
        for i, batch in enumerate(seconds)
    ]
    together, one_by_one = Evidence(), Evidence()

    for batch in batches:
        together.add(batch)
        for event in batch:
            one_by_one.add([event])

    def counted(evidence: Evidence) -> list[object]:
        return [evidence.first_at, evidence.last_at, evidence.failures, evidence.errors, evidence.categories]

    assert counted(together) == counted(one_by_one)
    assert together.samples[0] == one_by_one.samples[0]
    assert {s.error for s in together.samples} == {s.error for s in one_by_one.samples}
    assert len(together.samples) == len(one_by_one.samples)


def test_an_error_is_called_by_its_type_its_code_and_its_status() -> None:
    event = exhausted(NOON, error_type="rate_limit_error", error_code="enforced_spend_limit_reached", status=429)

    assert error_name(event) == "rate_limit_error/enforced_spend_limit_reached (429)"


def test_kinds_of_error_over_the_limit_are_counted_as_one() -> None:
    evidence = Evidence()
    for i in range(20):
        evidence.add([exhausted(NOON, error_type=f"type {i}")])

    assert (len(evidence.errors), evidence.failures, sum(evidence.errors.values())) == (17, 20, 20)
