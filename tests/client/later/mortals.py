"""mortals: processes that defer calls or make them, to be killed; a program of its own.

It has imported everything when it writes `ready`, and forks a child for each line it reads, `defer|work|awork
QUEUE API LOG`, so a round costs milliseconds. It writes the child's process id, and when the child is gone its status.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anthropic
import claxon.later.aworker
import claxon.later.worker  # noqa: F401 - imported before the forks
from claxon.later import DeferredCalls, Job, Patience

from tests.client.later.working import NO_PAUSE, arguments
from tests.support.repository import ROOT

LEASE_S = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mortals:
    """Children, one at a time."""

    process: subprocess.Popen[str]

    def start(self, kind: str, queue: str, *, api: str, log: Path) -> int:
        """Start a child that works (`work`, `awork`) the jobs of a queue, or `defer`s new ones.

        What it does it appends to `log`: the keys that were handled, or deferred. Returns its process id.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(f"{kind} {queue} {api} {log}\n")
        self.process.stdin.flush()
        return int(self.line())

    def gone(self) -> int:
        """Wait for the end of the child; return its exit status, negative for a signal."""
        return int(self.line())

    def line(self) -> str:
        """Return what the program says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def lines_of(log: Path) -> list[str]:
    """Return what the children wrote; a line that was cut by a kill is none."""
    return log.read_text().split("\n")[:-1] if log.exists() else []


@contextlib.contextmanager
def run_mortals() -> Iterator[Mortals]:
    """Run the program until the block ends."""
    command = [sys.executable, "-m", "tests.client.later.mortals"]
    keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    environment = {**os.environ, **keys, "PYTHONPATH": f"{ROOT / 'client'}{os.pathsep}{ROOT}"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        made = Mortals(process=process)
        assert made.line() == "ready\n"
        yield made
        assert process.stdin is not None
        process.stdin.close()


def _write(log: Path, text: str) -> None:
    """Append a line in one write, which a kill cannot tear."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def _defer(queue: DeferredCalls, _api: str, log: Path) -> None:
    number = 0
    while True:
        ticket = queue.defer(**arguments("hello " * 200), key=f"{os.getpid()}-{number}")
        _write(log, ticket.key)
        number += 1


def _work(queue: DeferredCalls, api: str, log: Path) -> None:
    def handle(job: Job, _answer: object) -> None:
        _write(log, job.key)

    with anthropic.Anthropic(api_key="k", base_url=api) as client:
        queue.work(
            client,
            handle,
            lease_s=LEASE_S,
            poll_s=0.02,
            patience=Patience(first_s=0.01, most_lost=1000),
            pauses=NO_PAUSE,
        )


def _awork(queue: DeferredCalls, api: str, log: Path) -> None:
    async def handle(job: Job, _answer: object) -> None:
        _write(log, job.key)

    async def run() -> None:
        patience = Patience(first_s=0.01, most_lost=1000)
        async with anthropic.AsyncAnthropic(api_key="k", base_url=api) as client:
            await queue.awork(client, handle, lease_s=LEASE_S, poll_s=0.02, patience=patience, pauses=NO_PAUSE)

    asyncio.run(run())


DO = {"defer": _defer, "work": _work, "awork": _awork}


def main() -> None:
    """Fork a child for each line."""
    print("ready", flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            kind, url, api, log = line.split()
            try:
                DO[kind](DeferredCalls(url), api, Path(log))
                os._exit(0)
            except BaseException as error:
                print(error, file=sys.stderr, flush=True)
                os._exit(1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
