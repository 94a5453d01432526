"""The composition root: builds every part, starts and stops them. The only file that knows all.

≠ what is answered at which address: service/web.py.
"""

from __future__ import annotations

import asyncio
import gc
import os
import uuid
from collections.abc import Callable, Iterable

import structlog

from alerts.config import RetentionConfig
from alerts.notification import Notification
from alerts.notifier import Notifier
from alerts.policy import policy_of
from alerts.rules import Rule

from . import clock
from .api.bodies import Budget
from .api.sharing import Shared
from .api.visit import Forms
from .audit import HANGUP, Actor
from .config_file import Loaded
from .core import Core
from .core_job import CoreJob
from .delivery import Deliverer, lanes
from .delivery.elsewhere import Elsewhere
from .difference import Difference
from .dispatch import Dispatch
from .intake import Intake
from .keys import upkeep
from .keys.book import Book
from .keys.in_force import Keys
from .keys.session_book import SessionBook
from .keys.sessions import Sessions
from .lately import STEP_S, Noted
from .leaving import LOOK_S, Leaving
from .links import PATH, SECRET_BYTES, SECRET_NAME, Links
from .live import Live
from .metrics import Metrics
from .metrics.leases import LeaseSample
from .metrics.push import Push
from .nodes.follower import Follower
from .pagerduty_sync import PagerDutySync
from .readers import Readers
from .reject_log import RejectLog
from .rejects import Rejects
from .reloading import Configuration
from .retention import Retention
from .scheduler import Scheduler
from .search.asking import Searcher
from .search.indexer import Indexer
from .settings import Settings
from .shards.gathering import Gathering
from .slow_senders import Limits
from .source import Source
from .spending import Spending
from .storage import sessions as session_rows
from .storage.connecting import Connection
from .storage.database import open_or_set_aside, open_reader
from .storage.errors import DatabaseError
from .storage.places import is_shared
from .storage.remembered import own_secret
from .storage.wal import WalWatch
from .tls import Certificate
from .trial import Trials
from .views import Views
from .watch import failing as failing_watch
from .watch import ways
from .watch.audit import Auditor
from .watch.corrupted import CorruptionWatch
from .watch.drill import Drills
from .watch.failing import FailingWatch
from .watch.scrubbing import Scrubber
from .watch.senses import Senses
from .watch.tally import WatchTally
from .watch.troubles import PATIENCE
from .watch.watch import Watch
from .work import Taker

PRUNE_S = 3600.0
FAILING_S = 5.0
AUDIT_S = 60.0
USES_S = 60.0
SPENDING_S = 300.0
REJECTS_S = 1.0
KEEP_S = 30 * 86_400.0
ANSWER_S = 30.0

REFUSED_S = 10.0
"""So long after a batch could not be written, and none was since, Claxon is not ready; then it may be tried again."""

_log = structlog.get_logger(__name__)


class Service:
    """All parts of one Claxon."""

    def __init__(
        self,
        settings: Settings,
        loaded: Loaded,
        *,
        rules: Iterable[Rule] | None = None,
        certificate: Certificate | None = None,
        connection: Connection | None = None,
        intake: Intake | None = None,
    ) -> None:
        """Build all parts.

        Args:
            settings: Of this run.
            loaded: The configuration.
            rules: In place of those of the configuration.
            certificate: To speak HTTPS with.
            connection: The database, opened to write, taken over; without, it is opened here.
            intake: Counts what comes in; without, from 0 on.
        """
        self.settings = settings
        self.certificate = certificate
        self.clock = clock.now
        self.started_at = clock.now()
        url = loaded.config.external_url or settings.public_url
        rules = tuple(rules) if rules is not None else None
        connection = connection if connection is not None else self._open()
        secret = own_secret(connection, SECRET_NAME, os.urandom(SECRET_BYTES))
        self.links = Links(secret, clock=self.clock)
        self.keys = Keys(exposed=not settings.loopback, clock=self.clock)
        self.key_book = Book(connection, clock=self.clock, fixed=lambda: self.keys.fixed, on_change=self.keys.adopt)
        self.keys.adopt(self.key_book.all())
        self.sessions = Sessions(session_rows.load(connection), clock=self.clock)
        self.session_book = SessionBook(connection, self.sessions, clock=self.clock)
        self.forms = Forms(own_secret(connection, "forms", os.urandom(SECRET_BYTES)))
        policy = policy_of(loaded.config, external_url=url, lanes=lanes(loaded.receivers), ack_url=self.acknowledge_url)
        self.core = Core(
            connection,
            loaded.rules if rules is None else rules,
            Notifier(policy=policy),
            clock=self.clock,
            targets=self._targets,
            steady=clock.monotonic,
            source=self._source(connection, loaded.rules if rules is None else rules),
        )
        # Of one of several nodes: of each role whether it can work, given why no event can be taken.
        self.by_role: Callable[[str], dict[str, str]] | None = None
        self.leaving = Leaving(self.core, settings.data)
        # What comes in by this node's own doors.
        self.taker: Taker = self.core
        fallback = loaded.config.fallback_receiver
        self.deliverer = Deliverer(self.core, loaded.receivers, clock=self.clock, fallback=fallback)
        self.dispatch = Dispatch(self.core, clock=self.clock, make_id=lambda: str(uuid.uuid4()))
        self.pagerduty = PagerDutySync(self.core, self.dispatch, receivers=lambda: self.deliverer.receivers)
        self.views = Views(self.core, external_url=url, clock=self.clock)
        self.views.grafana_url = loaded.config.grafana_url
        self.elsewhere = Elsewhere(connection, lambda: self.deliverer.integrations)
        self.live = Live(lambda: self.core.tally.commits + self.elsewhere.news)
        self.shared = Shared(lambda: self.core.tally.decided, steady=clock.monotonic)
        self.intake = intake or Intake()
        self.bodies = Budget()
        self.patience = Limits()
        self.rejects = Rejects(clock=self.clock)
        self.reject_log = RejectLog(self.core, self.rejects, self.intake, clock=self.clock)
        self.searcher = Searcher(lambda: open_reader(settings.data), steady=clock.monotonic)
        self.readers = Readers(lambda: open_reader(settings.data))
        self.trials = Trials(lambda: open_reader(settings.data), steady=clock.monotonic)
        self.indexer = Indexer(self.core, lambda: open_reader(settings.data))
        self.spending = Spending(self.core, clock=self.clock)
        self.noted = Noted(self.core, steady=clock.monotonic)
        self.scheduler = Scheduler()
        self.configuration = Configuration(
            settings,
            loaded,
            core=self.core,
            deliverer=self.deliverer,
            views=self.views,
            clock=self.clock,
            rules=rules,
            certificate=certificate,
        )
        self.retention = Retention(self.core, keep=self._keep, clock=self.clock, steady=clock.monotonic)
        self.watch_tally = WatchTally()
        self.evaluate = self._job("evaluate", self.core.tick)
        self.failing_watch = FailingWatch(
            self.core, self.deliverer, self.dispatch, self.watch_tally, fallback=self._fallback, clock=self.clock
        )
        self.auditor = Auditor(self.core, self.deliverer, self.dispatch, self.watch_tally, fallback=self._fallback)
        self.scrubber = Scrubber(settings.data, self.watch_tally, clock=self.clock, steady=clock.monotonic)
        self.corruption_watch = CorruptionWatch(
            settings.data, self.core, self.dispatch, self.watch_tally, scrubbed=lambda: self.scrubber.found
        )
        self.wal_watch = WalWatch(connection, settings.data)
        self.drills = Drills(
            self.core,
            self.deliverer,
            external_url=lambda: self.configuration.external_url,
            clock=self.clock,
            make_id=lambda: str(uuid.uuid4()),
        )
        self.watch: Watch | None = None
        self.watch_limits = PATIENCE
        self.metrics = Metrics(
            self.core, self.deliverer, self.intake, self.scheduler, self.configuration, self.watch_tally, self.keys
        )
        # What other nodes took: there are some where the database may be shared.
        self.follower = self._make_follower() if is_shared(settings.data) else None
        self.push = self._make_push()

    def _open(self) -> Connection:
        connection, kept = open_or_set_aside(self.settings.data, at=self.started_at)
        if kept is not None:
            _log.critical(
                "database.set_aside", file=str(kept), error="it was corrupt: a new one begins, and knows nothing"
            )
        return connection

    def _source(self, connection: Connection, rules: Iterable[Rule]) -> Source | None:
        """Return where decisions come from, if that is no log of this node's own."""
        return Gathering(connection, rules, steady=clock.monotonic) if self.settings.log is not None else None

    def _make_follower(self) -> Follower:
        follower = Follower(
            self.core,
            lambda: open_reader(self.settings.data),
            rejects=self.rejects,
            intake=self.intake,
            clock=self.clock,
        )
        self.metrics.elections = self.core.connection.generation
        self.metrics.inbox = lambda: follower.tally.sample(self.clock())
        return follower

    def _make_push(self) -> Push | None:
        if self.settings.push is None:
            return None
        take = self.metrics.sample
        return Push(
            self.metrics, self.settings.push, take=lambda: self.core.submit(take).result(ANSWER_S), clock=self.clock
        )

    def acknowledge_url(self, fingerprint: str, episode: int) -> str:
        """Return the link by which whoever is told of an alert's episode acknowledges it, without a key."""
        return f"{self.views.external_url.rstrip('/')}/{PATH}/{self.links.token(fingerprint, episode)}"

    def _targets(self, notification: Notification) -> list[str]:
        # Who fails is not asked to tell that it does.
        failing = failing_watch.about(notification)
        return [target for target in self.deliverer.targets(notification) if target != failing]

    def _keep(self) -> RetentionConfig:
        settings, said = self.settings, self.configuration.loaded.config.retention
        age_s = settings.retention_age_s if settings.retention_age_s is not None else said.age_s
        size = settings.retention_size if settings.retention_size is not None else said.size
        return RetentionConfig(age_s=age_s, size=size)

    def _fallback(self) -> str:
        return self.configuration.loaded.config.fallback_receiver

    def _ways(self) -> list[str]:
        return ways.of_pages(self.configuration.loaded.config, self.deliverer.integrations)

    def _note_uses(self) -> None:
        upkeep.note_uses(self.core.connection, self.keys)
        self.session_book.write()

    def _prune_keys(self) -> None:
        upkeep.prune(self.core.connection, now=self.clock())
        self.keys.adopt(self.key_book.all())

    def _look_at_the_wal(self) -> None:
        self.core.tally.wal_bytes = self.wal_watch.look(clock.monotonic())

    def _job(self, name: str, function: Callable[[], None]) -> CoreJob:
        return CoreJob(self.core, name, function, steady=clock.monotonic, on_fault=lambda: self.scheduler.failed(name))

    def _start_to_watch(self) -> Watch:
        self.evaluate.succeeded_at = clock.monotonic()
        senses = Senses(
            self.core,
            self.deliverer,
            self.evaluate,
            asyncio.get_running_loop(),
            ways=self._ways,
            undelivered=self.elsewhere.trouble,
            clock=self.clock,
            steady=clock.monotonic,
            limits=self.watch_limits,
        )
        watch = Watch(
            senses,
            self.watch_tally,
            loaded=lambda: self.configuration.loaded,
            external_url=lambda: self.configuration.external_url,
            clock=self.clock,
            steady=clock.monotonic,
            limits=self.watch_limits,
        )
        watch.start()
        return watch

    async def start(self) -> None:
        """Recover, then take events, evaluate and deliver."""
        try:
            await asyncio.to_thread(self.core.start)
        except DatabaseError as fault:
            self.core.doubt(fault)
            raise
        # What was rebuilt stays: the collector need not look at it again.
        gc.freeze()
        await self.configuration.begin()
        # Where nodes share the outbox, each of them may send, by a part of its own.
        self.deliverer.start(sends=not is_shared(self.settings.data))
        self.indexer.start()
        self.retention.start()
        self.scheduler.every(self.core.source.every_s, "evaluate", self.evaluate)
        self.core.submit(self.noted.note)
        self.scheduler.every(STEP_S, "lately", self._job("lately", self.noted.note))
        self.core.submit(self.spending.note)
        self.scheduler.every(SPENDING_S, "spending", self._job("spending", self.spending.note))
        self.scheduler.every(PRUNE_S, "prune", self._job("prune", lambda: self.core.prune(keep_s=KEEP_S)))
        self.scheduler.every(USES_S, "key uses", self._job("key uses", self._note_uses))
        self.scheduler.every(PRUNE_S, "prune keys", self._job("prune keys", self._prune_keys))
        self.scheduler.every(FAILING_S, "failing", self._job("failing", self.failing_watch.look))
        self.scheduler.every(AUDIT_S, "audit", self._job("audit", self.auditor.look))
        self.scheduler.every(REJECTS_S, "rejects", self._job("rejects", self.reject_log.write))
        self.scheduler.every(FAILING_S, "corruption", self._job("corruption", self.corruption_watch.look))
        self.scheduler.every(FAILING_S, "wal", self._job("wal", self._look_at_the_wal))
        self.scheduler.every(LOOK_S, "database", self.leaving.look)
        if is_shared(self.settings.data):
            self.metrics.leases = lambda: LeaseSample(nodes=self.elsewhere.nodes)
            self.scheduler.every(LOOK_S, "elsewhere", self._job("elsewhere", self.elsewhere.look))
            self.scheduler.every(AUDIT_S, "unknown", self._job("unknown", self.deliverer.look_for_unknown))
        self.scheduler.start()
        self.scrubber.start()
        if self.follower is not None:
            self.follower.start(asyncio.get_running_loop())
        if self.push is not None:
            self.push.start()
        self.watch = self._start_to_watch()

    async def reload(self, actor: Actor = HANGUP) -> Difference:
        """Read the configuration and its rules again, and put them in force as a whole or not at all.

        Raises:
            ReloadError: Something is wrong, and nothing has changed.
        """
        return await self.configuration.reload(actor)

    async def stop(self) -> None:
        """Stop in order: no more timers, no more sends, the queue written, the state kept."""
        self.trials.stop()
        if self.follower is not None:
            await asyncio.to_thread(self.follower.stop)
        if self.watch is not None:
            await asyncio.to_thread(self.watch.stop)
        await asyncio.to_thread(self.scrubber.stop)
        if self.push is not None:
            await asyncio.to_thread(self.push.stop)
        self.scheduler.stop()
        await asyncio.to_thread(self.retention.stop)
        await asyncio.to_thread(self.indexer.stop)
        self.searcher.close()
        self.readers.close()
        await self.deliverer.stop()
        self.core.submit(self._note_uses)
        self.core.submit(self.spending.note)
        await asyncio.to_thread(self.core.stop)

    def unready(self) -> str:
        """Return why no event can be taken now; "" if it can. Runs in the core's thread."""
        if self.core.doubt.why:
            return self.core.doubt.said
        fault = self.watch.fault if self.watch is not None else ""
        tally = self.core.tally
        if not fault and clock.monotonic() - tally.refused_at < REFUSED_S:
            fault = tally.refused
        return f"log: cannot be written: {fault}: free some space if the disk is full" if fault else ""

    def dead_parts(self) -> list[str]:
        """Return the parts that should run and do not."""
        parts = {
            "core": self.core.alive,
            "database": not self.core.doubt.why,
            "delivery": self.deliverer.alive,
            "inbox": self.follower is None or self.follower.alive,
        }
        return [name for name, alive in parts.items() if not alive]
