"""`claxon serve`: takes events, evaluates rules, pages people.

≠ how anything works.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..placing import log_url, read_storage
from ..push_environment import push_from_environment
from ..settings import (
    DEFAULT_LISTEN,
    Settings,
    SettingsError,
    check_exposure,
    keys_from_environment,
    log_topic,
    node_roles,
    parse_inbox_size,
    parse_listen,
    parse_retention,
    tls_files,
)
from .data import VARIABLES, add_data, data_of
from .saying import add_json, refuse, wants_json

_VARIABLES = {
    "CLAXON_ADMIN_KEY": "a key of scope admin",
    "CLAXON_READ_KEY": "a key of scope read",
    "CLAXON_INGEST_KEY": "a key of scope ingest",
    **VARIABLES,
    "CLAXON_ROLE": "as --role",
    "CLAXON_LOG": "as --log",
    "CLAXON_INBOX_SIZE": "as --inbox-size",
    "CLAXON_ADVERTISE": "as --advertise",
    "CLAXON_TLS_CERT": "as --tls-cert",
    "CLAXON_TLS_KEY": "as --tls-key",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "where metrics are pushed to, with OpenTelemetry's other variables "
    "([how](../howto/push-metrics.md))",
}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    serve = commands.add_parser(
        "serve",
        help="take events, evaluate rules, page people",
        description="Takes events, evaluates rules, pages people, until it is told to stop. Logs on standard error: "
        "as text on a terminal, as JSON lines elsewhere. SIGHUP has it read its configuration again.",
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: pages go to the console)")
    serve.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help="default %(default)s")
    add_data(serve)
    serve.add_argument(
        "--role",
        metavar="all|ingest|evaluate|deliver",
        help="what this node does, of several on one PostgreSQL; more than one with commas between; default all",
    )
    serve.add_argument("--log", metavar="kafka://...", help="the topic of Kafka that takes what ingest nodes are sent")
    serve.add_argument(
        "--inbox-size",
        metavar="8GB",
        help="what may wait for the elected node before ingest nodes answer 503; default 8GB",
    )
    serve.add_argument("--advertise", metavar="URL", help="where others are told to find this node; default --listen")
    serve.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="PEM: speak HTTPS, with this certificate (or CLAXON_TLS_CERT)"
    )
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM: its private key (or CLAXON_TLS_KEY)")
    serve.add_argument("--retention-age", metavar="30d", help="delete events that are older; default: as configured")
    serve.add_argument("--retention-size", metavar="20GB", help="delete the oldest over it; default: as configured")
    serve.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    add_json(
        serve,
        {"notification": "what a console receiver prints: status, receiver, reason, labels, alerts, ..."},
        exits={
            0: "stopped",
            1: "of several nodes: elected, and could not begin: its log says why",
            2: "not started",
            70: "the database is corrupt: have it started again",
            75: "the database is another node's, or its server is gone: have it started again",
        },
        lines=True,
        variables=_VARIABLES,
    )
    serve.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int:
    from ..config_file import ConfigFileError
    from ..serve import serve
    from ..storage.database import StorageError

    try:
        host, port = parse_listen(options.listen)
        tls = tls_files(options.tls_cert, options.tls_key, os.environ)
        age_s, size = parse_retention(options.retention_age, options.retention_size)
        storage = read_storage(options.config)
        data = data_of(options, storage)
        settings = Settings(
            host=host,
            port=port,
            data=data,
            roles=node_roles(options.role, os.environ, data),
            log=log_topic(log_url(options.log, os.environ, storage), data),
            inbox_size=parse_inbox_size(options.inbox_size, os.environ),
            advertise=options.advertise or os.environ.get("CLAXON_ADVERTISE") or None,
            config=options.config,
            tls=tls,
            push=push_from_environment(os.environ),
            retention_age_s=age_s,
            retention_size=size,
        )
        return serve(
            settings,
            keys_from_environment(os.environ),
            check_exposure=check_exposure,
            log_level=options.log_level,
            as_json=wants_json(options),
        )
    except SettingsError as fault:
        return refuse(options, fault)
    except (ConfigFileError, StorageError) as fault:
        return refuse(options, *str(fault).splitlines())
