"""claxon backtest: what a configuration would have told people, over a log of events.

≠ how it is found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.durations import parse_duration
from alerts.errors import DurationError

from .saying import add_json, refuse, say_json_text, say_text, wants_json, warn

if TYPE_CHECKING:
    from ..backtest.labelled import Window
    from ..backtest.running import RuleSet
    from ..backtest.sources import Source

_DESCRIPTION = """\
Runs the rules over a log of events, in the time of the events, and says which alerts and
notifications they would have made. Takes NDJSON or a JSON array, plain, gzip or zstd; many
files are merged by time. docs/howto/backtest.md says all of it."""

FIELDS = {
    "sources": "what was read, in order",
    "from": "the oldest event's time, RFC 3339",
    "to": "the newest event's",
    "until": "up to when time went on after it",
    "events": "how many were taken",
    "rejected": "how many were refused",
    "rejected_shown": "why, the first ten",
    "broken": "files that end in the middle of an event",
    "duplicates": "events that another file had, too",
    "remarks": "what else is to be known",
    "config": "the rules that decided",
    "rules": "their hashes",
    "ledger_hash": "of all decisions",
    "decided": "how many there are",
    "alerts": "each episode: labels, startsAt, endsAt, value, peak, evidence, receivers, ...",
    "notifications": "who would have been told what, and when",
    "firing": "alerts that still fire at the end",
    "pending": "alerts that are pending at the end",
    "pages": "episodes that somebody would have been woken for",
    "by_rule": "alerts, told, notifications of each rule",
    "passed_over": "how often something was not told, by why",
    "against*": "with --against: the same of the other rules, and `changes` between them",
    "labels*": "with --labels: the scores",
}

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
    add_json(
        parser,
        FIELDS,
        exits={
            0: "done",
            1: "a file ends in the middle of an event, or with --strict: an event was refused",
            2: "asked for wrongly",
            _INTERRUPTED: "interrupted",
        },
    )
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
        return refuse(options, *problems)
    for warning in dict.fromkeys(warnings):
        warn(options, warning)
    progress = Progress(sys.stderr, sources, quiet=wants_json(options))
    try:
        result = backtest(sources, ruleset, against=against, windows=windows, tail_s=options.tail, progress=progress)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        progress.end()
    if wants_json(options):
        # What was refused, and the remarks, are in it.
        say_json_text(as_json(result))
        refuse(options, *result.refused.broken)
    else:
        say_text(as_text(result))
        refuse(options, *result.refused.broken, *result.remarks)
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
