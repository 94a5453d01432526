"""When a delivery that failed is tried again. No clock, no randomness: both are arguments."""

from __future__ import annotations

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 300.0
_DOUBLINGS = 9  # 2^9 s is past the cap; a larger exponent would only overflow


def next_attempt(
    *, attempts: int, retryable: bool, retry_after: float | None, now: float, deadline: float, jitter: float
) -> float | None:
    """Return when to try again, in Unix seconds, or None when the delivery is given up.

    The backoff doubles from 1 s to 5 min, and each wait is spread over its upper
    half, so that deliveries which failed together do not return together. Where
    that, or the receiver's own wish, is past the deadline, one last try is made
    at the deadline. So a row that is due at its deadline is to be sent, not
    dropped; the answer after that try is None.

    Args:
        attempts: How often it was tried so far, >= 1.
        retryable: Whether the same request may succeed later.
        retry_after: Seconds that the receiver asked us to wait; None if it did not.
        now: When the last try failed.
        deadline: After this instant nobody wants the page any more.
        jitter: A random number in [0, 1).
    """
    if not retryable or now >= deadline:
        return None
    due = now + _backoff(attempts, jitter)
    if retry_after is not None:
        due = max(due, now + retry_after)
    return min(due, deadline)


def next_probe(*, failures: int, retry_after: float | None, limited: bool, jitter: float) -> float:
    """Return how many seconds a whole integration is left alone after it took nothing.

    After the first failure it is asked at once with another row, for it may be that
    row alone; after that with pauses that grow as those of a row do.

    Args:
        failures: How often in a row it took nothing, >= 1.
        retry_after: Seconds that it asked us to wait; None if it did not.
        limited: Whether it wants fewer messages: then there is a pause after the first failure, too.
        jitter: A random number in [0, 1).
    """
    known = failures if limited else failures - 1
    return max(_backoff(known, jitter) if known else 0.0, retry_after or 0.0)


def _backoff(attempts: int, jitter: float) -> float:
    doublings = min(max(attempts - 1, 0), _DOUBLINGS)
    longest = min(FIRST_BACKOFF_S * 2.0**doublings, MAX_BACKOFF_S)
    return longest / 2 + longest / 2 * jitter
