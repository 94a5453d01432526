"""The command line: serve, demo, keys, and those of commands/.

≠ how anything works.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .commands import backtest, check, explain, fire_drill, route, rules, test, verify
from .settings import (
    DEFAULT_DATA,
    DEFAULT_LISTEN,
    Settings,
    SettingsError,
    check_exposure,
    hash_key,
    keys_from_environment,
    parse_listen,
)

_COMMANDS = (backtest, check, rules, test, explain, route, fire_drill, verify)
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
    serve.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="two minutes: faults, pages, resolves, on this machine alone")
    demo.add_argument("--exit", action="store_true", help="end after the last step, do not go on serving")
    demo.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default: a free port of 127.0.0.1")
    demo.set_defaults(command=_demo)
    for module in _COMMANDS:
        module.register(commands)
    keys = commands.add_parser("keys", help="make keys for those who post and read").add_subparsers(required=True)
    create = keys.add_parser("create", help="print a new key, and the lines for the configuration")
    create.add_argument("name")
    create.add_argument("--scope", default="ingest", choices=["ingest", "read", "admin"])
    create.add_argument("--app", default="", help="the app of events that name none")
    create.set_defaults(command=_create_key)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from .serve import serve

    try:
        host, port = parse_listen(options.listen)
        settings = Settings(host=host, port=port, data=options.data, config=options.config)
        keys = keys_from_environment(os.environ)
        return serve(settings, keys, check_exposure=check_exposure, log_level=options.log_level)
    except SettingsError as fault:
        return _refuse([str(fault)])


def _demo(options: argparse.Namespace) -> int:
    from .demo.show import run

    try:
        host, port = parse_listen(options.listen)
        return run(host=host, port=port, wait=not options.exit and sys.stdin.isatty())
    except SettingsError as fault:
        return _refuse([str(fault)])


def _create_key(options: argparse.Namespace) -> int:
    key = f"claxon_{options.scope}_{secrets.token_urlsafe(32)}"
    app = f", app: {options.app}" if options.app else ""
    line = f"  - {{name: {options.name}, scope: {options.scope}, sha256: {hash_key(key)}{app}}}"
    # The key alone on standard output, so that it can be piped to where it belongs.
    print("The key, shown only now:", file=sys.stderr, flush=True)
    print(key, flush=True)
    print(f"In the configuration, under `keys:`, goes only its hash:\n{line}", file=sys.stderr)
    return 0


def _refuse(problems: list[str]) -> int:
    for problem in problems:
        print(f"claxon: {problem}", file=sys.stderr)
    return 2
