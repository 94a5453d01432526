"""claxon backtest: what a configuration would have told people, over a log of events.

≠ how it is found.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.durations import parse_duration
from alerts.errors import DurationError

if TYPE_CHECKING:
    from ..backtest.labelled import Window
    from ..backtest.running import RuleSet
    from ..backtest.sources import Source

_DESCRIPTION = """\
Runs the rules over a log of events, in the time of the events, and says which alerts and
notifications they would have made. Takes NDJSON or a JSON array, plain, gzip or zstd; many
files are merged by time. docs/howto/backtest.md says all of it."""

_INTERRUPTED = 130
_DEFAULTS = Path("defaults")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "backtest",
        help="what a configuration would have told people, over a log of events",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("events", nargs="+", metavar="EVENTS", help="files of events; - is standard input")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a configuration or a rule file (default: the rules Claxon ships)"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="say what a change from this one does; `defaults` are the rules Claxon ships",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="windows in which something was wrong: score the pages"
    )
    parser.add_argument("--tail", type=_duration, metavar="DURATION", help="how long time goes on after the last event")
    parser.add_argument("--strict", action="store_true", help="end with 1 if any event was refused")
    parser.add_argument("--format", default="text", choices=["text", "json"], help="default %(default)s")
    parser.set_defaults(command=_run)


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except DurationError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def _run(options: argparse.Namespace) -> int:
    from ..backtest.as_json import as_json
    from ..backtest.as_text import as_text
    from ..backtest.progress import Progress
    from ..backtest.running import backtest
    from ..yaml_file import ConfigFileError

    problems: list[str] = []
    warnings: list[str] = []
    sources = _sources(options.events, problems)
    try:
        ruleset = _ruleset(options.config, warnings)
        against = _ruleset(options.against, warnings) if options.against is not None else None
        windows = _windows(options.labels, ruleset) if options.labels is not None else None
    except ConfigFileError as fault:
        problems += fault.problems
    if problems:
        for problem in problems:
            print(f"claxon: {problem}", file=sys.stderr)
        return 2
    for warning in dict.fromkeys(warnings):
        print(f"claxon: warning: {warning}", file=sys.stderr)
    progress = Progress(sys.stderr, sources)
    try:
        result = backtest(sources, ruleset, against=against, windows=windows, tail_s=options.tail, progress=progress)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        progress.end()
    try:
        sys.stdout.write(as_json(result) if options.format == "json" else as_text(result))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read had enough, as `head` has; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for line in [*result.refused.broken, *result.remarks]:
        print(f"claxon: {line}", file=sys.stderr)
    if result.refused.events:
        _say_refused(result.refused.events, result.refused.shown)
    return 1 if result.refused.broken or (options.strict and result.refused.events) else 0


def _say_refused(count: int, shown: list[str]) -> None:
    print(f"claxon: {count:,} refused:", file=sys.stderr)
    for line in shown:
        print(f"  {line}", file=sys.stderr)
    if count > len(shown):
        print(f"  and {count - len(shown):,} more", file=sys.stderr)


def _sources(names: list[str], problems: list[str]) -> list[Source]:
    from ..backtest.sources import Source, SourceError

    found: list[Source] = []
    if names.count("-") > 1:
        problems.append("-: standard input can be read once only: name it once")
    for name in names:
        try:
            found.append(Source(None if name == "-" else Path(name)))
        except SourceError as fault:
            problems.append(str(fault))
    return found


def _ruleset(path: Path | None, warnings: list[str]) -> RuleSet:
    """Return what decides: a configuration, or the rules of a rule file told to the console.

    Nothing is sent, so no receiver is built, and none of their secrets is needed.
    """
    from alerts.config import Config

    from ..backtest.running import RuleSet
    from ..config_file import load_config
    from ..rule_file import is_rule_file, load_rules
    from ..yaml_file import read_yaml

    path = None if path == _DEFAULTS else path
    name = str(path) if path is not None else "defaults"
    if path is not None and is_rule_file(read_yaml(path).data):
        rules = load_rules([path])
        warnings += rules.warnings
        return RuleSet(name=name, config=Config(), rules=rules.rules)
    loaded = load_config(path, build_receivers=False)
    warnings += loaded.warnings
    return RuleSet(name=name, config=loaded.config, rules=loaded.rules)


def _windows(path: Path, ruleset: RuleSet) -> list[Window]:
    from ..backtest.labelled import load_windows

    return load_windows(path, {name for rule in ruleset.rules for name in rule.labels})
