"""How long something is wrong, and what follows from that."""

from __future__ import annotations

from service.watch.troubles import PATIENCE, Part, Troubles


def after(troubles: Troubles, seconds: int, wrong: dict[Part, str], *, since: float) -> float:
    """Look once a second for so many seconds; return the instant of the last look."""
    for second in range(seconds + 1):
        troubles.look(wrong, since + second)
    return since + seconds


def test_each_part_may_fail_for_as_long_as_its_limit_and_then_it_blinds() -> None:
    for part, limit in PATIENCE.blind_after.items():
        troubles = Troubles()
        at = after(troubles, int(limit) - 1, {part: "broken"}, since=100.0)
        assert troubles.blinding() == [], part

        troubles.look({part: "broken"}, at + 1.0)

        assert troubles.blinding() == [f"{part.value}: broken"]


def test_receivers_that_fail_never_blind_but_all_is_not_well() -> None:
    troubles = Troubles()
    after(troubles, 3600, {Part.WAYS: "nobody can be paged"}, since=0.0)

    assert troubles.blinding() == []
    assert not troubles.well
    assert troubles.said() == ["receivers: nobody can be paged"]


def test_what_works_in_between_begins_anew() -> None:
    troubles = Troubles()
    at = after(troubles, 29, {Part.CORE: "no answer"}, since=0.0)
    troubles.look({}, at + 1.0)
    after(troubles, 29, {Part.CORE: "no answer"}, since=at + 2.0)

    assert troubles.blinding() == []


def test_a_process_that_was_stopped_blames_no_part_for_its_sleep() -> None:
    troubles = Troubles()
    troubles.look({Part.CORE: "no answer"}, 0.0)
    troubles.look({Part.CORE: "no answer"}, 3600.0)

    assert troubles.blinding() == []


def test_it_sees_again_when_nothing_was_wrong_for_a_while() -> None:
    troubles = Troubles()
    at = after(troubles, 40, {Part.WRITES: "full"}, since=0.0)
    assert not troubles.calm

    at = after(troubles, 29, {}, since=at + 1.0)
    assert (troubles.well, troubles.calm) == (True, False)
    troubles.look({}, at + 1.0)

    assert troubles.calm
