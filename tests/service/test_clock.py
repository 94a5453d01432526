"""What a jump of the wall clock does: nothing that anybody is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.conditions import Silent
from alerts.default_rules import DEFAULT_RULES
from alerts.rules import Rule
from service.clock import ClockWatch, Jump
from service.proof import prove
from service.storage.database import open_database
from tests.support.bench import NOON, Bench

SILENT = Rule(alert="Quiet", condition=Silent(after_s=300, steady_s=600), labels={"severity": "ticket"})


@pytest.mark.parametrize(
    ("wall", "steady", "jump", "by_s"),
    [
        (0.5, 0.5, Jump.NONE, 0.0),
        (59.0, 0.5, Jump.NONE, 0.0),
        (61.0, 0.5, Jump.AHEAD, 60.5),
        (3600.0, 3600.0, Jump.AHEAD, 0.0),
        (-4.0, 0.5, Jump.NONE, 0.0),
        (-6.0, 0.5, Jump.BACK, -6.0),
        (-6.0, 900.0, Jump.BACK, -6.0),
    ],
)
def test_a_jump_is_known_by_a_clock_that_never_jumps(wall: float, steady: float, jump: Jump, by_s: float) -> None:
    clocks = [NOON, 100.0]
    watch = ClockWatch(lambda: clocks[0], lambda: clocks[1])
    clocks[:] = NOON + wall, 100.0 + steady

    look = watch.look(NOON)

    assert (look.jump, look.by_s) == (jump, by_s)
    assert watch.look(NOON).jump is jump
    watch.settle(look)
    assert watch.look(max(NOON, look.now)).jump is Jump.NONE or jump is Jump.BACK


def steady_traffic(bench: Bench, minutes: int) -> None:
    for _ in range(minutes * 4):
        bench.post([{"model": "m", "app": "shop", "status": 200}] * 5)
        bench.wait(15)


def ends_the_same(bench: Bench) -> bool:
    """Whether a replay of the log, after the end, decides the same."""
    bench.close()
    connection = open_database(bench.folder, create=False)
    proof = prove(connection)
    connection.close()
    return proof.same


def test_nobody_is_silent_in_an_hour_that_the_clock_jumped_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rules=(*DEFAULT_RULES, SILENT))
    steady_traffic(bench, 15)
    bench.now += 3600

    bench.wait(60)
    steady_traffic(bench, 2)

    assert bench.ask(bench.core.engine.firing) == []
    assert bench.ask(lambda: bench.core.tally.jumps) == {"ahead": 1, "back": 0}
    assert ends_the_same(bench)


def test_who_is_silent_after_the_jump_is_still_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rules=(SILENT,))
    steady_traffic(bench, 15)
    bench.wait(310)

    assert [alert.labels["alertname"] for alert in bench.ask(bench.core.engine.firing)] == ["Quiet"]
    assert ends_the_same(bench)


def test_a_process_that_stood_still_heard_nobody_either(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rules=(SILENT,))
    steady_traffic(bench, 15)
    bench.now += 900
    bench.steady += 900

    bench.post([{"model": "m", "app": "shop", "status": 200}])
    bench.wait(5)

    assert bench.ask(bench.core.engine.firing) == []
    assert ends_the_same(bench)


def test_a_clock_that_was_set_back_goes_on_pages_and_is_repeated_by_a_replay(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    steady_traffic(bench, 5)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.wait(10)
    bench.now -= 7200

    bench.wait(1)
    bench.post([{"model": "m", "app": "cart", "status": 401}])
    bench.wait(5)

    now = bench.ask(lambda: bench.core.engine.now)
    firing = {alert.labels["app"] for alert in bench.ask(bench.core.engine.firing)}
    assert now == bench.now
    assert {"shop", "cart"} <= firing
    assert bench.ask(lambda: bench.core.tally.jumps) == {"ahead": 0, "back": 1}
    bench.crash()
    assert bench.ask(lambda: bench.core.engine.now) >= now
    assert bench.ask(lambda: bench.core.tally.diverged) == 0
    assert ends_the_same(bench)


def test_a_page_that_waited_when_the_clock_was_set_back_does_not_wait_longer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    before = bench.rows("SELECT next_at, deadline FROM outbox")[0]
    bench.now -= 7200

    bench.wait(1)

    after = bench.rows("SELECT next_at, deadline FROM outbox")[0]
    assert after == (pytest.approx(before[0] - 7200, abs=2), pytest.approx(before[1] - 7200, abs=2))
    bench.close()


def test_a_page_that_waited_when_the_clock_was_set_ahead_is_tried_as_long_as_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    before = bench.rows("SELECT next_at, deadline FROM outbox")[0]
    bench.now += 172_800

    bench.wait(1)

    after = bench.rows("SELECT next_at, deadline FROM outbox")[0]
    assert after == (before[0], pytest.approx(before[1] + 172_800, abs=2))
    bench.close()


def test_a_clock_that_was_set_back_while_nothing_ran_is_found_at_the_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.wait(100)
    bench.now -= 600

    bench.crash()

    assert bench.ask(lambda: bench.core.engine.now) == bench.now
    assert ends_the_same(bench)


def test_a_jump_that_cannot_be_logged_is_logged_later_and_evaluates_nothing_meanwhile(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rules=(SILENT,))
    steady_traffic(bench, 15)
    bench.ask(lambda: bench.core.connection.execute("PRAGMA query_only = ON"))
    bench.now += 3600
    before = bench.ask(lambda: bench.core.engine.now)

    bench.core.submit(bench.core.tick).exception(10)
    assert bench.ask(lambda: bench.core.engine.now) == before
    bench.ask(lambda: bench.core.connection.execute("PRAGMA query_only = OFF"))
    bench.wait(1)

    assert bench.ask(lambda: bench.core.tally.jumps)["ahead"] == 1
    assert bench.ask(bench.core.engine.firing) == []
    assert ends_the_same(bench)
