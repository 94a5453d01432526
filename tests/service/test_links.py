"""Signed links: only what this Claxon made counts, for a week, and for one episode."""

from __future__ import annotations

import pytest

from service.links import LASTS_S, ExpiredLinkError, Links, UnknownLinkError

SECRET = bytes(range(32))
NAME = "3ba2e1c0f57c58a9"


class Wound:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.4

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Wound:
    return Wound()


@pytest.fixture
def links(clock: Wound) -> Links:
    return Links(SECRET, clock=clock)


@pytest.mark.parametrize(("name", "episode"), [(NAME, 1), ("0" * 16, 0), ("f" * 16, 2**32 - 1)])
def test_a_token_says_which_episode_it_is_for_and_until_when(links: Links, name: str, episode: int) -> None:
    link = links.read(links.token(name, episode))

    assert (link.fingerprint, link.episode, link.expires_at) == (name, episode, 1_790_000_000 + LASTS_S)


def test_a_token_is_short_and_needs_no_escaping_in_an_address(links: Links) -> None:
    token = links.token(NAME, 1)

    assert len(token) == 43
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_it_counts_for_seven_days_and_not_a_second_longer(links: Links, clock: Wound) -> None:
    token = links.token(NAME, 1)
    clock.now += LASTS_S - 1
    links.read(token)

    clock.now += 1
    with pytest.raises(ExpiredLinkError, match="its week is over"):
        links.read(token)


def test_no_bit_of_it_can_be_changed(links: Links) -> None:
    """Above all not the episode, nor the expiry."""
    token = links.token(NAME, 1)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    for place, letter in enumerate(token[:-1]):
        for bit in range(6):
            changed = letters[letters.index(letter) ^ (1 << bit)]
            with pytest.raises(UnknownLinkError):
                links.read(token[:place] + changed + token[place + 1 :])


def test_another_claxons_links_do_not_work_here(links: Links, clock: Wound) -> None:
    foreign = Links(bytes(32), clock=clock).token(NAME, 1)

    with pytest.raises(UnknownLinkError, match="not signed by this Claxon"):
        links.read(foreign)


@pytest.mark.parametrize("token", ["", "x", "A" * 42, "A" * 43, "A" * 44, "!" * 43, "é" * 43, "A" * 42 + "="])
def test_what_is_no_token_is_refused_and_faults_nothing(links: Links, token: str) -> None:
    with pytest.raises(UnknownLinkError):
        links.read(token)


def test_an_expired_forgery_is_not_called_expired(links: Links, clock: Wound) -> None:
    """Whether an alert ever was is nothing that a stranger may learn."""
    token = links.token(NAME, 1)
    clock.now += 2 * LASTS_S

    with pytest.raises(UnknownLinkError):
        links.read(("A" if token[0] != "A" else "B") + token[1:])


def test_the_secret_is_in_no_text(links: Links) -> None:
    assert repr(links) == "Links(<secret>)"
    assert SECRET.hex() not in repr(vars(links)).replace(repr(SECRET), "")
