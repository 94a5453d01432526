"""budgets: how many retries a process may make, and what one call's retries may cost.

A retry that helps saves a call; one that fails too is load on an API that fails
already. A budget lets the latter be a share of the calls: when everything fails
retries stop, instead of multiplying the load, and where failures are chance
they go on, however many.

Source:
    The retry budgets of Finagle and gRPC: a bucket that calls fill and retries
    empty, with a reserve for who calls seldom. That success gives back what a
    retry took is the retry quota of the AWS SDKs.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from .prices import Prices


class RetryBudget:
    """A token bucket: each call puts `ratio` tokens in, each retry takes one out, and puts it back if it helped.

    One per process unless the app makes more. Starts full, so that the first
    calls may be retried too. Thread-safe; what it holds is for one process, a
    forked child begins with a full one.

    Args:
        ratio: Retries in vain for a call, in the long run.
        reserve: The most tokens it holds: retries in a burst.
        gives_back: False counts retries that helped too: then all of them are at most `ratio` of the calls.
    """

    def __init__(self, *, ratio: float = 0.1, reserve: float = 10.0, gives_back: bool = True) -> None:
        if not 0 <= ratio <= 10:
            raise ValueError(f"RetryBudget: ratio: {ratio!r}: give retries for a call, from 0 to 10")
        if not 0 <= reserve <= 1e6:
            raise ValueError(f"RetryBudget: reserve: {reserve!r}: give a number of retries from 0 to 1000000")
        self.ratio = ratio
        self.reserve = reserve
        self.gives_back = gives_back
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._tokens = float(self.reserve)
        self._pid = os.getpid()

    @property
    def left(self) -> float:
        """How many retries could be made now."""
        return self._tokens

    def called(self) -> None:
        """A call begins."""
        self._own()
        with self._lock:
            self._tokens = min(self.reserve, self._tokens + self.ratio)

    def spend(self) -> bool:
        """Take a retry out; return whether there was one."""
        self._own()
        with self._lock:
            # A little below: ten times 0.1 is not 1.
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens -= 1.0
            return True

    def helped(self) -> None:
        """The last retry of a call was answered: it was no load in vain."""
        if not self.gives_back:
            return
        self._own()
        with self._lock:
            self._tokens = min(self.reserve, self._tokens + 1.0)

    def _own(self) -> None:
        if self._pid != os.getpid():
            self._renew()  # the lock may have been held when the process forked


class CostLimit:
    """Stops retries of a call whose next attempt could cost more than the app allows.

    An attempt that timed out or broke off may be billed, one that was refused
    (429, 5xx) is not; so what the former may have cost counts together with
    what the next may cost at most.

    Args:
        most_usd: For all retries of one call together, in US dollars.
        prices: Of models; a model without a price is not limited.
    """

    def __init__(self, most_usd: float, *, prices: Prices | None = None) -> None:
        if not 0 <= most_usd < 1e9:
            raise ValueError(f"CostLimit: most_usd: {most_usd!r}: give US dollars, 0 or more")
        self.most_usd = most_usd
        self.prices = prices or Prices()

    def expected(self, body: Any) -> float:
        """Return the most that an attempt of this request may cost; 0 without a price."""
        return self.prices.of_request(body) or 0.0


_process: RetryBudget | None = None


def process_budget() -> RetryBudget:
    """Return the budget that all policies of this process share unless given another: retries for 10 % of calls."""
    global _process  # noqa: PLW0603 - one for the process is what it is for
    if _process is None:
        _process = RetryBudget()
    return _process


def renew_process_budget() -> None:
    """Fill it; for tests."""
    global _process  # noqa: PLW0603 - as above
    _process = None
