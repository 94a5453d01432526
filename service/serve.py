"""Run one service until it is told to stop.

≠ the command line.
"""

from __future__ import annotations

import gc
import signal
import socket
import ssl
from collections.abc import Callable

import structlog
import uvicorn

from alerts.config import KeyConfig

from .app import Service
from .config_file import load_config
from .intake import Intake
from .logs import configure_logs
from .nodes.node import Node
from .nodes.switch import Application
from .partition_rules import check_rules
from .receivers.console import ConsoleReceiver
from .settings import Settings, SettingsError, check_address, check_retention
from .slow_senders import Limits, guarded
from .storage.database import exists
from .storage.places import is_shared
from .tls import Certificate
from .web import create_app

YOUNG = 20_000
"""New objects before the collector looks.

With its 700, what a page is made of, which lives for 50 ms, counts as old, and every seventh page waits 100 ms while
all of the state is looked through.
"""

_log = structlog.get_logger(__name__)


def serve(
    settings: Settings,
    keys: tuple[KeyConfig, ...],
    *,
    check_exposure: Callable[[Settings, tuple[KeyConfig, ...]], None],
    log_level: str = "info",
    as_json: bool = False,
) -> int:
    """Serve; return the exit status. Nothing is started when anything is wrong.

    Raises:
        SettingsError: It would be reachable from elsewhere without keys, the address is taken, or the certificate is
            none; its size is limited where it cannot be, or it would be advertised under no URL.
        ConfigFileError: The configuration is wrong.
        StorageError: The data folder cannot be used.
    """
    configure_logs(log_level, as_json=as_json)
    ConsoleReceiver.as_json = as_json
    certificate = Certificate(settings.tls) if settings.tls is not None else None
    loaded = load_config(settings.config)
    check_address(settings)
    check_retention(settings, loaded.config.retention)
    check_rules(settings, loaded.rules)
    for warning in loaded.warnings:
        _log.warning("rule.doubted", problem=warning)
    if is_shared(settings.data):
        return _serve_as_node(Node(settings, loaded, keys, certificate=certificate, check_exposure=check_exposure))
    keys = (*keys, *loaded.config.keys)
    if not exists(settings.data):
        # What is refused makes no folder.
        check_exposure(settings, keys)
    listener = bind(settings)
    service = Service(settings, loaded, certificate=certificate)
    try:
        check_exposure(settings, (*keys, *service.keys.stored_alive()))
    except SettingsError:
        listener.close()
        service.core.connection.close()
        raise
    # Until the service listens for it, a hang-up must not end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    server = make_server(service, keys)
    server.run(sockets=[listener])
    return 0


def _serve_as_node(node: Node) -> int:
    listener = bind(node.settings)
    try:
        node.stand()
    except BaseException:
        listener.close()
        raise
    # Until the service listens for it, a hang-up must not end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    server = _server(node.switch, node.intake, Limits(), node.certificate, last_words=node.close_live)
    server.run(sockets=[listener])
    return 0


def bind(settings: Settings) -> socket.socket:
    """Return a socket that listens where it was asked.

    Raises:
        SettingsError: The address is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as fault:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(f"--listen: {where}: {fault.strerror or fault}: choose another address") from fault
    return listener


def make_server(service: Service, keys: tuple[KeyConfig, ...]) -> uvicorn.Server:
    """Return the web server of a service, not running yet."""
    app = create_app(service, keys)
    return _server(app, service.intake, service.patience, service.certificate, last_words=service.live.close)


def _server(
    app: Application,
    intake: Intake,
    patience: Limits,
    certificate: Certificate | None,
    *,
    last_words: Callable[[], None],
) -> uvicorn.Server:
    # What is alive now stays alive: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        server_header=False,
        ssl_context_factory=_encrypted(certificate),
        http=guarded(intake, patience),
        ws="none",
    )
    return _Server(config, last_words)


class _Server(uvicorn.Server):
    """uvicorn's, which waits for open requests at its end: those that would never end are told to, first."""

    def __init__(self, config: uvicorn.Config, last_words: Callable[[], None]) -> None:
        super().__init__(config)
        self._last_words = last_words

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order."""
        self._last_words()
        await super().shutdown(sockets)


def _encrypted(certificate: Certificate | None) -> Callable[..., ssl.SSLContext] | None:
    if certificate is None:
        return None
    context = certificate.context
    return lambda *_: context
