"""The command line: serve, demo, and those of commands/.

≠ how anything works.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .commands import audit, backtest, backup, check, explain, export, fire_drill, keys, route, rules, test, verify
from .push_environment import push_from_environment
from .settings import (
    DEFAULT_DATA,
    DEFAULT_LISTEN,
    Settings,
    SettingsError,
    check_exposure,
    keys_from_environment,
    parse_listen,
    parse_retention,
    tls_files,
)

_COMMANDS = (backtest, check, rules, test, explain, route, fire_drill, keys, audit, verify, export, backup)
"""Those that have a module of their own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 failed, 2 asked for wrongly."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="claxon", description="Alerting for applications that call the Claude API.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="take events, evaluate rules, page people")
    serve.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: pages go to the console)")
    serve.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help="default %(default)s")
    serve.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="default ./%(default)s")
    serve.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="PEM: speak HTTPS, with this certificate (or CLAXON_TLS_CERT)"
    )
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM: its private key (or CLAXON_TLS_KEY)")
    serve.add_argument("--retention-age", metavar="30d", help="delete events that are older; default: as configured")
    serve.add_argument("--retention-size", metavar="20GB", help="delete the oldest over it; default: as configured")
    serve.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="two minutes: faults, pages, resolves, on this machine alone")
    demo.add_argument("--exit", action="store_true", help="end after the last step, do not go on serving")
    demo.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default: a free port of 127.0.0.1")
    demo.set_defaults(command=_demo)
    for module in _COMMANDS:
        module.register(commands)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from .serve import serve

    try:
        host, port = parse_listen(options.listen)
        tls = tls_files(options.tls_cert, options.tls_key, os.environ)
        age_s, size = parse_retention(options.retention_age, options.retention_size)
        settings = Settings(
            host=host,
            port=port,
            data=options.data,
            config=options.config,
            tls=tls,
            push=push_from_environment(os.environ),
            retention_age_s=age_s,
            retention_size=size,
        )
        from_environment = keys_from_environment(os.environ)
        return serve(settings, from_environment, check_exposure=check_exposure, log_level=options.log_level)
    except SettingsError as fault:
        return _refuse([str(fault)])


def _demo(options: argparse.Namespace) -> int:
    from .demo.show import run

    try:
        host, port = parse_listen(options.listen)
        return run(host=host, port=port, wait=not options.exit and sys.stdin.isatty())
    except SettingsError as fault:
        return _refuse([str(fault)])


def _refuse(problems: list[str]) -> int:
    for problem in problems:
        print(f"claxon: {problem}", file=sys.stderr)
    return 2
