"""Footprint: the CPU and memory of a process and all below it, while others use the machine too."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a run took.

    Attributes:
        cpu_s: Of the service, all its processes.
        memory_mb: The most that was resident; pages that its processes share count once.
        others_cores: How many cores neither it, nor the load, nor we used: where it is over about 0.3, repeat the run.
    """

    cpu_s: float
    memory_mb: float
    others_cores: float


class Footprint:
    """Watches a process from now on; `look` now and then, for the peak."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._began = time.perf_counter()
        self._cpu, self._busy, self._own = self._cpu_s(), _busy_s(), _own_s()
        self._peak = 0.0
        self.look()

    def look(self) -> float:
        """Return what is resident, in MB, and remember the most of it."""
        processes = self._processes()
        kind = "rss" if len(processes) == 1 else "pss"
        resident = sum(_resident(process, kind) for process in processes) / 1e6
        self._peak = max(self._peak, resident)
        return resident

    def use(self, *, load_s: float = 0.0) -> Use:
        """Return what was used since the beginning.

        Args:
            load_s: What the load generator took meanwhile.
        """
        self.look()
        passed = time.perf_counter() - self._began
        cpu = self._cpu_s() - self._cpu
        others = _busy_s() - self._busy - cpu - load_s - (_own_s() - self._own)
        return Use(cpu_s=cpu, memory_mb=self._peak, others_cores=max(0.0, others / passed))

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []

    def _cpu_s(self) -> float:
        return sum(map(_cpu_of, self._processes()))


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _resident(process: psutil.Process, kind: str) -> float:
    try:
        whole = process.memory_full_info() if kind == "pss" else process.memory_info()
    except psutil.Error:
        return 0.0
    return float(getattr(whole, kind, 0) or whole.rss)


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + getattr(times, "irq", 0) + getattr(times, "softirq", 0))


def _own_s() -> float:
    times = os.times()
    return times.user + times.system


def machine() -> dict[str, str | int]:
    """Return what figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
