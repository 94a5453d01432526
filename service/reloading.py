"""Reload: the configuration and its rules read again, and put in force as a whole or not at all.

≠ signals, HTTP, what a setting means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from alerts.config import KeyConfig
from alerts.policy import policy_of
from alerts.rules import Rule

from .audit import Actor, Entry, What, entry
from .config_file import ConfigFileError, Loaded, load_config
from .core import Core
from .delivery import Deliverer, lanes
from .difference import Difference, compare, receivers_to_use
from .partition_rules import check_rules
from .receivers import Receiver
from .settings import Settings, SettingsError, check_exposure, check_retention
from .storage.errors import DatabaseError
from .tls import Certificate
from .views import Views

_log = structlog.get_logger(__name__)


class ReloadError(Exception):
    """The configuration cannot be put in force; nothing has changed.

    Attributes:
        problems: All that is wrong, *where: value: remedy* each.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Reloads:
    """How the configuration was taken last; for metrics.

    Attributes:
        successful: Whether it was, when it was read last.
        succeeded_at: When the one in force was read, Unix seconds.
    """

    successful: bool = True
    succeeded_at: float = 0.0


class Configuration:
    """What is in force, and how it is replaced.

    Attributes:
        reloads: How it was read last.
        on_reloaded: Awaited when it was: what this process does beside the service goes by it, too.
    """

    def __init__(
        self,
        settings: Settings,
        loaded: Loaded,
        *,
        core: Core,
        deliverer: Deliverer,
        views: Views,
        clock: Callable[[], float],
        rules: tuple[Rule, ...] | None,
        certificate: Certificate | None = None,
    ) -> None:
        """Take over what was loaded at the start.

        Args:
            settings: Of the command line; they stay.
            loaded: What the file said.
            core: Evaluates by it.
            deliverer: Sends by it.
            views: Shows it.
            clock: Unix seconds.
            rules: In place of those of the file; None for these.
            certificate: Read again too; None where there is no TLS.
        """
        self.reloads = Reloads(succeeded_at=clock())
        self.on_reloaded: Callable[[], Awaitable[None]] = _nothing_else
        self._own_keys: tuple[KeyConfig, ...] = ()
        self._on_keys: Callable[[tuple[KeyConfig, ...]], None] = lambda _: None
        self._other_keys: Callable[[], Iterable[KeyConfig]] = tuple
        self._settings = settings
        self._loaded = loaded
        self._core = core
        self._deliverer = deliverer
        self._views = views
        self._clock = clock
        self._rules = rules
        self._certificate = certificate
        self._one_at_a_time = asyncio.Lock()
        self._show()

    def use_keys(
        self,
        keys: tuple[KeyConfig, ...],
        *,
        on_keys: Callable[[tuple[KeyConfig, ...]], None],
        others: Callable[[], Iterable[KeyConfig]],
    ) -> None:
        """Take over which keys of file and environment are in force, and who is told when they change.

        Those of no file stay. `others` says which keys of the database let somebody in.
        """
        self._other_keys = others
        self._own_keys = tuple(key for key in keys if key not in self._loaded.config.keys)
        self._on_keys = on_keys

    @property
    def loaded(self) -> Loaded:
        """What is in force; any thread may ask."""
        return self._loaded

    @property
    def external_url(self) -> str:
        """Where people reach this Claxon."""
        return self._url()

    async def begin(self) -> None:
        """Have the core tell and send by what was loaded: it may be another than before the restart."""
        await asyncio.wrap_future(self._core.submit(lambda: self._core.weigh(self._notify_by)))
        await self._deliverer.give_up_unknown()

    async def reload(self, actor: Actor) -> Difference:
        """Read everything again and put it in force, for somebody; return what changed.

        Raises:
            ReloadError: Something is wrong, and nothing has changed.
        """
        async with self._one_at_a_time:
            try:
                loaded = await self._read()
                difference = await self._replace(loaded, actor)
            except ReloadError as fault:
                self.reloads.successful = False
                _log.error("config.refused", problems=fault.problems)
                raise
            self._renew_certificate()
            await self.on_reloaded()
            self.reloads = Reloads(succeeded_at=self._clock())
            _log.info("config.reloaded", **_worth_saying(difference))
            return difference

    def _renew_certificate(self) -> None:
        # In the event loop, where handshakes are, so that none sees half of it.
        if self._certificate is None:
            return
        try:
            self._certificate.renew()
        except SettingsError as fault:
            # It was good a moment ago: somebody writes the files just now.
            _log.error("certificate.lost", error=str(fault))

    async def _read(self) -> Loaded:
        try:
            if self._certificate is not None:
                self._certificate.check()
            loaded = await asyncio.to_thread(load_config, self._settings.config)
            check_retention(self._settings, loaded.config.retention)
            check_rules(self._settings, loaded.rules)
            check_exposure(self._settings, (*self._own_keys, *loaded.config.keys, *self._other_keys()))
        except ConfigFileError as fault:
            raise ReloadError(fault.problems) from fault
        except SettingsError as fault:
            raise ReloadError([str(fault)]) from fault
        for warning in loaded.warnings:
            _log.warning("rule.doubted", problem=warning)
        return loaded

    async def _replace(self, loaded: Loaded, actor: Actor) -> Difference:
        before = self._loaded
        difference = compare(
            before.config, loaded.config, old_rules=self._rules_of(before), new_rules=self._rules_of(loaded)
        )
        receivers, unused = receivers_to_use(loaded, before, present=self._deliverer.receivers)
        former: list[dict[str, Receiver]] = []

        def adopt() -> None:
            self._loaded = loaded
            self._core.audit.append(self._entry(before, difference, actor))
            former.append(self._deliverer.adopt(receivers, fallback=loaded.config.fallback_receiver))
            self._notify_by()
            self._show()

        rules = self._rules_of(loaded)
        try:
            await asyncio.wrap_future(self._core.submit(lambda: self._core.reconfigure(rules, adopt=adopt)))
        except DatabaseError as fault:
            if not former:
                for receiver in loaded.receivers.values():
                    await receiver.close()
                raise ReloadError([f"log: cannot be written: {fault}: free some space and reload again"]) from fault
            # In force and logged; only the snapshot is missing, and the next one will not be.
            _log.warning("snapshot.failed", error=str(fault))
        self._on_keys((*self._own_keys, *loaded.config.keys))
        for receiver in unused:
            await receiver.close()
        await self._deliverer.settle(former[0])
        await self._deliverer.give_up_unknown()
        return difference

    def _entry(self, before: Loaded, difference: Difference, actor: Actor) -> Entry:
        after = _worth_saying(difference)
        if difference.keys_changed:
            old, new = ({key.name for key in one.config.keys} for one in (before, self._loaded))
            after |= {"keys_added": sorted(new - old), "keys_removed": sorted(old - new)}
        return entry(actor, What.RELOADED, str(self._settings.config or ""), at=self._clock(), after=after)

    def _rules_of(self, loaded: Loaded) -> tuple[Rule, ...]:
        return loaded.rules if self._rules is None else self._rules

    def _url(self) -> str:
        return self._loaded.config.external_url or self._settings.public_url

    def _notify_by(self) -> None:
        config = self._loaded.config
        policy = policy_of(
            config,
            external_url=self._url(),
            lanes=lanes(self._deliverer.receivers),
            ack_url=self._core.notifier.policy.ack_url,
        )
        self._core.notifier.adopt(policy, self._core.engine.now)

    def _show(self) -> None:
        self._views.external_url, self._views.places = self._url(), self._loaded.rule_places
        self._views.grafana_url = self._loaded.config.grafana_url


def _worth_saying(difference: Difference) -> dict[str, object]:
    said: dict[str, object] = {}
    for name in difference.__struct_fields__:
        if value := getattr(difference, name):
            said[name] = [f"{c.id} {c.old} -> {c.new}" for c in value] if name == "rules_changed" else value
    return said or {"changed": "nothing"}


async def _nothing_else() -> None:
    """Do nothing: one process on a folder is the service, and nothing beside it."""
