"""A process and its children, and only those: killed, paused and let go on together."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil

GONE_S = 10
POLL_S = 0.005


def kill_tree(pid: int) -> None:
    """Kill a process and all of its children as `kill -9` does; return when none is left.

    The parent is stopped first, so that it starts no other child meanwhile.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        _suspend(parent)
        family = [parent, *parent.children(recursive=True)]
        _each(family, psutil.Process.kill)
        deadline = time.monotonic() + GONE_S
        while left := [process.pid for process in family if lives(process)]:
            assert time.monotonic() < deadline, f"kill -9: {left}: still there after {GONE_S} s"
            time.sleep(POLL_S)


def pause_tree(pid: int) -> None:
    """Stop a process and all of its children, the parent first: they keep their sockets, and answer nothing."""
    parent = psutil.Process(pid)
    _suspend(parent)
    _each(parent.children(recursive=True), _suspend)


def continue_tree(pid: int) -> None:
    """Let a process and all of its children go on; one that is not paused is left as it is."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        _each([*parent.children(recursive=True), parent], psutil.Process.resume)


def memory_of(pid: int) -> int:
    """Return the resident bytes of one process."""
    return int(psutil.Process(pid).memory_info().rss)


def is_paused(pid: int) -> bool:
    """Whether a process is stopped by a signal."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def _suspend(process: psutil.Process) -> None:
    """Stop a process; return when it stands, for the signal alone promises no instant."""
    process.suspend()
    deadline = time.monotonic() + GONE_S
    while lives(process) and process.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, f"SIGSTOP: {process.pid}: still goes on after {GONE_S} s"
        time.sleep(POLL_S)


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended; a zombie has, and is waited for by whoever started it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _each(family: list[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            act(process)
