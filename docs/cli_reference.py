"""Writes docs/reference/cli.md from the parsers of the command line: python -m docs.cli_reference

tests/test_cli_reference.py holds the page to it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from claxon.__main__ import make_parser as make_client_parser

from service.cli import main, make_parser
from service.commands.saying import Facts, facts_of

PAGE = Path(__file__).parent / "reference/cli.md"

INTRODUCTION = """\
# Command line

<!-- Written by `python -m docs.cli_reference`; change service/commands/ or docs/cli_reference.py. -->

`claxon` comes with the service, `python -m claxon` with the client. `claxon COMMAND --help` says the same as this page.

**Exit status.** 0 is done, 1 is failed or not as it should be, 2 is asked for wrongly, or nobody there to ask. Each command says below where it means more.
What is wrong is said on standard error, as *where: value: remedy*; nothing half done is left behind.

**`--json`.** Every command has it. The answer goes to standard output as one JSON document, or as one object a line where the command goes on. What is wrong goes to
standard error as `{"error": "where: value: remedy"}`, what is odd as `{"warning": ...}`, a line each; the exit status is the same as without it. Fields are added, never
renamed or taken away; an asterisk marks those that not every answer has. Instants are Unix seconds or RFC 3339, durations are seconds and end in `_s`, shares are of 1.
Where a command has `--format json`, that is the same.

**Terminals.** Colour only on a terminal, and never if `NO_COLOR` is set or `TERM` is `dumb`. What apps have sent is printed with every control character made visible, or,
as JSON, escaped.
"""

FILES = {
    "claxon.yml": "route: {receiver: on-call}\nreceivers:\n  - name: on-call\n    console_configs: [{}]\n",
    "broken.yml": "route: {receiver: nobody}\n",
    "lone-500.yml": "name: a lone 500 pages nobody\nevents: [{at: 0s, status: 500, app: shop}]\n"
    "expect:\n  - {at: 1m, firing: []}\n",
}
"""What the examples use."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "check": ("check claxon.yml", "check claxon.yml --json", "check broken.yml --json"),
    "test": ("test lone-500.yml", "test lone-500.yml --json"),
    "route": ("route app=shop severity=page --config claxon.yml --at 2026-11-25T03:12:00Z",),
    "rules": ("rules --json",),
    "explain": ("explain --json",),
}
"""What is run, and shown as it is."""

_SHOWN_LINES = 24


def page() -> str:
    """Return the whole page."""
    service = list(_leaves(make_parser()))
    parts = [INTRODUCTION, _overview(service), _environment(service)]
    parts += [_command(parser) for parser in service]
    parts.append(
        "## The client's commands\n\n`python -m claxon` looks into what the client keeps on disk. What its commands print: "
        "[deferred calls](../client/later.md).\n"
    )
    parts += [_command(parser) for parser in _leaves(make_client_parser())]
    return "\n".join(parts)


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for child in action.choices.values():
            yield from _leaves(child)


def _overview(parsers: Iterable[argparse.ArgumentParser]) -> str:
    rows = [
        f"| [`{parser.prog}`](#{parser.prog.replace(' ', '-')}) | {_first_sentence(parser)} |" for parser in parsers
    ]
    return "\n".join(["| command | does |", "|---|---|", *rows, ""])


def _first_sentence(parser: argparse.ArgumentParser) -> str:
    return _cell(_help_of(parser)).partition(". ")[0].rstrip(".")


def _help_of(parser: argparse.ArgumentParser) -> str:
    """Return what the list of commands says of one."""
    words = parser.prog.split()
    above = make_parser() if words[0] == "claxon" else make_client_parser()
    said = ""
    for word in words[len(above.prog.split()) :]:
        [action] = [action for action in above._actions if isinstance(action, argparse._SubParsersAction)]
        said = next((choice.help or "" for choice in action._choices_actions if choice.dest == word), said)
        above = action.choices[word]
    return said


def _environment(parsers: Iterable[argparse.ArgumentParser]) -> str:
    found: dict[str, tuple[str, list[str]]] = {"NO_COLOR": ("if set: no colour", ["every command"])}
    for parser in parsers:
        facts = facts_of(parser)
        for name, what in (facts.variables if facts is not None else {}).items():
            found.setdefault(name, (what, []))[1].append(f"`{parser.prog.removeprefix('claxon ')}`")
    rows = [f"| `{name}` | {what} | {', '.join(where)} |" for name, (what, where) in sorted(found.items())]
    return "\n".join(["## Environment", "", "| variable | is | read by |", "|---|---|---|", *rows, ""])


def _command(parser: argparse.ArgumentParser) -> str:
    facts = facts_of(parser)
    words = " ".join((parser.description or f"{_help_of(parser)[:1].upper()}{_help_of(parser)[1:]}.").split())
    words = re.sub(r"docs/(\S+?\.md)", r"[docs/\1](../\1)", words)
    parts = [f"## {parser.prog}", "", words, "", "```text", _usage(parser), "```", "", *_arguments(parser), ""]
    if facts is not None:
        parts += [*_exits(facts), "", *_fields(facts), ""]
    parts += _examples(parser.prog.removeprefix("claxon "))
    return "\n".join(parts)


def _usage(parser: argparse.ArgumentParser) -> str:
    said = [parser.prog, "[OPTIONS]"]
    for action in parser._actions:
        if action.option_strings and action.required:
            said.append(f"{action.option_strings[-1]} {_metavar(action)}".strip())
        elif not action.option_strings:
            name = _metavar(action)
            said.append({"?": f"[{name}]", "+": f"{name}...", "*": f"[{name}...]"}.get(str(action.nargs), name))
    return " ".join(said)


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        names = ", ".join(action.option_strings)
        name = f"{names} {_metavar(action)}".strip() if names else _metavar(action)
        rows.append(f"| `{_cell(name)}` | {_cell(_meaning(action, parser))} |")
    return ["| argument | is |", "|---|---|", *rows] if rows else ["It has no arguments."]


def _metavar(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _meaning(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    said = (action.help or "") % {**vars(action), "prog": parser.prog}
    known = action.default not in (None, False, argparse.SUPPRESS, "") and action.nargs != 0
    if known and "default" not in said:
        return f"{said}; default {action.default}".removeprefix("; ")
    return said


def _exits(facts: Facts) -> list[str]:
    return ["| exit status | means |", "|---|---|", *(f"| {n} | {what} |" for n, what in facts.exits.items())]


def _fields(facts: Facts) -> list[str]:
    form = "one object a line" if facts.lines else "one object"
    rows = [f"| `{name.rstrip('*')}`{'*' * name.endswith('*')} | {_cell(what)} |" for name, what in facts.fields.items()]
    return [f"With `--json` it prints {form}:", "", "| field | is |", "|---|---|", *rows]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _examples(command: str) -> list[str]:
    if command not in EXAMPLES:
        return []
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for file, text in FILES.items():
            Path(file).write_text(text)
        blocks = ["\n".join(["```console", *_run(line), "```", ""]) for line in EXAMPLES[command]]
    return blocks


def _run(line: str) -> list[str]:
    """Return a command and what it prints, and how it ends where that is not 0."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(line.split())
    said = out.getvalue().splitlines()
    shown = [*said[:_SHOWN_LINES], "..."] if len(said) > _SHOWN_LINES else said
    end = ["$ echo $?", str(status)] if status else []
    return [f"$ claxon {line}", *shown, *err.getvalue().splitlines(), *end]


if __name__ == "__main__":
    os.environ.pop("NO_COLOR", None)
    PAGE.write_text(page(), encoding="utf-8")
