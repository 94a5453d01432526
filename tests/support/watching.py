"""What the tests of the watch share: patience that fits a test, and configurations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.watch.troubles import Limits, Part
from tests.support.running import Running

HASTY = Limits(
    look=0.05,
    answer=0.3,
    late=3.0,
    write_every=0.2,
    refused_for=5.0,
    failing=0.0,
    blind_after=dict.fromkeys((part for part in Part if part is not Part.WAYS), 0.5),
    calm=0.5,
)


def two_receivers(pager: str, backup: str, *more: str) -> str:
    """Return a configuration: pages go to `pager`, and `backup` stands in."""
    lines = [
        "route: {receiver: pager}",
        "fallback_receiver: backup",
        "receivers:",
        f"  - {{name: pager, webhook_configs: [{{url: '{pager}'}}]}}",
        f"  - {{name: backup, webhook_configs: [{{url: '{backup}'}}]}}",
    ]
    return "\n".join([*lines, *more]) + "\n"


@contextmanager
def busy_core(claxon: Running) -> Iterator[None]:
    """Keep the core's thread from everything."""
    go_on = threading.Event()
    claxon.service.core.submit(go_on.wait)
    try:
        yield
    finally:
        go_on.set()


@contextmanager
def full_disk(claxon: Running) -> Iterator[None]:
    """Have no write to the database succeed."""
    connection = claxon.service.core.connection
    claxon.core(lambda: connection.execute("PRAGMA query_only = 1"))
    try:
        yield
    finally:
        claxon.core(lambda: connection.execute("PRAGMA query_only = 0"))
