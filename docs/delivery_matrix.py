"""Writes docs/reference/delivery.md: what a real service does when a real receiver answers this or that.

    python -m docs.delivery_matrix

tests/acceptance/test_delivery_matrix.py holds the page to it.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

from tests.support.pager import HANG, HANG_IN_BODY, RESET, Pager, Received, Reply
from tests.support.running import Process, until

PAGE = Path(__file__).parent / "reference/delivery.md"
SOON_S = 0.45
"""A page that is sent within this did not wait: the shortest pause is 0.5 s."""

HEAD = """\
# What becomes of a page

<!-- Written by `python -m docs.delivery_matrix`; tests/acceptance/test_delivery_matrix.py runs it and compares. -->

A service, receivers on real sockets, and a page to each of them; what follows is what was seen. *Another page* is one to the same
integration that was decided while the first was on its way, or waited. The fallback receiver is `fallback_receiver`, else the first other one in the file.
Pauses double from 1 s to 5 min, until the page's deadline, 24 h after it was decided; then the fallback receiver gets it.

| the receiver | counted as | the page | another page | the fallback receiver |
|---|---|---|---|---|
"""

TAIL = """
The end of a page goes to who took its beginning: to the integration itself, to the fallback receiver where that stood in, to both where both were told. An end that
is refused for good wakes nobody; the ledger says where the page still shows as firing.

An integration that took nothing is asked by one page at a time, after pauses that grow from 1 s to 5 min, however many wait; with the first page that it takes it gets up to
four at once again, never two of one `dedup_key`, and never faster than its `rate_limit`. `GET /v1/deliveries` shows each try and what the vendor said to it.

## Where several nodes deliver

On [one PostgreSQL](../architecture.md#leases) any number of nodes may deliver, elected or not. A message is one node's at a time, by a lease of six seconds that is renewed
while it is on its way; messages of one `dedup_key` go out in order, whichever nodes send them. What a receiver sees when a node fails in mid-send:

| the node | the message | the receiver sees |
|---|---|---|
| is told to end (SIGTERM) | is waited for, up to 8 s (the elected one: 3 s), and noted; what is not begun, or not answered by then, others send at once | it once, where its answer came in time |
| is killed, or its machine is lost | another node sends it when the lease has ended, six seconds later at most | it twice if it had arrived, with the same keys |
| stands still (a paused machine), and goes on later | the same; what this node notes then counts for nothing, and what it had not begun to send it does not send | the same; what was half sent may arrive late, after what came after it |
| is cut off from the database | is on its way still; what comes of it is noted later, if no other node has sent it by then; nothing new is begun | it twice where the cut lasts longer than the lease |

*The same keys* are `Idempotency-Key` and `X-Claxon-Dedup-Key` of a webhook, `dedup_key` of PagerDuty, the alias of Opsgenie, the Message-ID of mail and the labels of an Alertmanager:
there it is one page. Chats know no keys and show it twice. If more was decided of the group meanwhile, it goes along: then `Idempotency-Key` is another one, and
the others are the same.

Four messages at once, and the pauses after failures, are each node's own; a rate is divided among the nodes that deliver. All must have the same configuration: reload each
(`POST /-/reload` at the elected one, SIGHUP at the others). What waits for a receiver that no node knows is given up within a minute. Where no node delivers, or none
of them knows a receiver of the elected one's configuration, `ClaxonBlind` is told past the outbox.
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What one receiver does.

    Attributes:
        says: As the page of the documentation says it.
        first: Its answer to the first request.
        later: Its answer to all others.
        url: In place of a pager's own; "" for that.
    """

    says: str
    first: Reply | Callable[[Received], Reply]
    later: Reply = Reply()
    url: str = ""


def always(status: int, **more: Any) -> Case:
    """Return a receiver that gives one answer to everybody."""
    reply = Reply(status=status, **more)
    return Case(says=f"answers {status}", first=reply, later=reply)


def later(_: Received) -> Reply:
    """Ask for 2 s by a date, which counts from the answer's own."""
    now = time.time()
    headers = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 2, usegmt=True)}
    return Reply(status=429, headers=headers)


CASES = {
    "c200": always(200),
    "c202": always(202),
    "c204": always(204, body=""),
    "c400": always(400),
    "c401": always(401),
    "c403": always(403),
    "c404": always(404),
    "c410": always(410),
    "c429-seconds": Case(says="answers 429, `Retry-After: 2`", first=Reply(status=429, headers={"Retry-After": "2"})),
    "c429-date": Case(says="answers 429, `Retry-After` a date 2 s ahead", first=later),
    "c429": Case(says="answers 429 without `Retry-After`", first=Reply(status=429)),
    "c500": Case(says="answers 500", first=Reply(status=500)),
    "c503": Case(says="answers 503", first=Reply(status=503)),
    "c302": always(302, headers={"Location": "http://127.0.0.1:1/"}),
    "hang": Case(says="takes the connection and says nothing", first=HANG),
    "hang-body": Case(says="says 200 and hangs in the body", first=HANG_IN_BODY),
    "reset": Case(says="resets the connection", first=RESET),
    "dns": Case(says="has a name that does not exist", first=Reply(), url="http://no-such-host.invalid/"),
    "tls": Case(says="does not speak TLS behind `https`", first=Reply(), url="https"),
}

OUTAGE = {"model": "m", "status": 401, "error_type": "authentication_error"}


class Script:
    """Answers the first request so, all others otherwise."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._n = 0

    def __call__(self, received: Received) -> Reply:
        """Return the answer."""
        self._n += 1
        if self._n > 1:
            return self._case.later
        return self._case.first if isinstance(self._case.first, Reply) else self._case.first(received)


def observe(folder: Path) -> dict[str, list[str]]:
    """Return what was seen of each case, as the cells of its row."""
    with contextlib.ExitStack() as stack:
        backup = stack.enter_context(Pager())
        pagers = {name: stack.enter_context(Pager(answer=Script(case))) for name, case in CASES.items()}
        claxon = stack.enter_context(Process(folder, config=_config(backup, pagers)))
        claxon.post([OUTAGE | {"app": name} for name in CASES])
        _until(lambda: all(_row(claxon, name, "tries") or pagers[name].received for name in CASES), claxon)
        claxon.post([OUTAGE | {"app": f"{name}-other"} for name in CASES])
        _until(lambda: all(_is_over(claxon, name) for name in CASES), claxon)
        told = lambda: {page.json["groupLabels"]["app"] for page in backup.received}  # noqa: E731
        _until(lambda: {name for name in CASES if _row(claxon, name, "state") == "failed"} <= told(), claxon)
        rows = _rows(claxon)
        return {name: _cells(case, rows[name], rows[f"{name}-other"], name in told()) for name, case in CASES.items()}


def _until(seen: Callable[[], Any], claxon: Process) -> None:
    if not until(seen, 40):
        raise TimeoutError("\n".join(f"{app}: {row}" for app, row in _rows(claxon).items()))


def _config(backup: Pager, pagers: dict[str, Pager]) -> str:
    routes, receivers = [], []
    for name, pager in pagers.items():
        url = CASES[name].url or pager.url
        url = pager.url.replace("http", "https") if url == "https" else url
        routes.append(f"    - {{receiver: {name}, matchers: ['app=~\"{name}(-other)?\"']}}")
        receivers.append(f"  - {{name: {name}, webhook_configs: [{{url: '{url}', timeout: 1s}}]}}")
    first = f"  - {{name: backup, webhook_configs: [{{url: '{backup.url}'}}]}}"
    return "\n".join(["route:", "  receiver: backup", "  routes:", *routes, "receivers:", first, *receivers, ""])


def _rows(claxon: Process) -> dict[str, dict[str, Any]]:
    """Return the deliveries to the receivers themselves, by app."""
    names = {alert["alert"]["fingerprint"]: alert["alert"]["labels"]["app"] for alert in claxon.get("/v1/alerts")["alerts"]}
    found = claxon.get("/v1/deliveries?limit=1000")["deliveries"]
    return {names[row["fingerprint"]]: row for row in found if not row["origin"]}


def _row(claxon: Process, app: str, name: str) -> Any:
    row = _rows(claxon).get(app)
    return row[name] if row is not None else None


def _is_over(claxon: Process, name: str) -> bool:
    rows = _rows(claxon)
    both = [rows.get(name), rows.get(f"{name}-other")]
    # What never succeeds has been tried often enough when it was tried again.
    return all(row is not None and (row["state"] != "pending" or len(row["tries"]) > 1) for row in both)


def _cells(case: Case, row: dict[str, Any], other: dict[str, Any], told: bool) -> list[str]:
    return [case.says, f"`{row['tries'][0]['outcome']}`", _fate(row), _other(other), "gets it at once" if told else "–"]


def _fate(row: dict[str, Any]) -> str:
    tries = row["tries"]
    if len(tries) == 1:
        return "taken" if row["state"] == "delivered" else "given up at once"
    if row["state"] == "pending":
        return "again and again, with pauses that grow"
    pause = tries[1]["at"] - tries[0]["at"] - tries[0]["duration_s"]
    after = "after the 2 s it asked for" if pause >= 1.9 else "after up to 1 s"
    return f"again {after}, then taken"


def _other(row: dict[str, Any]) -> str:
    waited = row["tries"][0]["at"] - row["created_at"]
    return "sent at once" if waited < SOON_S else "waits with it"


def page(cells: dict[str, list[str]]) -> str:
    """Return the page that says so."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in cells.values()) + TAIL


def main() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(page(observe(Path(name))))


if __name__ == "__main__":
    main()
