"""Command lines as pages write them: split into commands, and what is wrong with each; nothing is run."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator

from claxon.later import command as deferred

from service.cli import make_parser
from tests.support.repository import ROOT

ENDS = {"|", "||", "&&", ";", "&", "(", ")"}
REDIRECTS = {">", ">>", "<", "2>"}
WRAPPERS = {"runuser", "kubectl"}
"""Programs that run another one, named after `--`."""
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
PYTHON = re.compile(r"(?:\.venv/bin/)?python3?(?:\.11)?")


def faults(text: str) -> list[str]:
    """Return what is wrong with the commands of a block: unknown words, files that are not there."""
    return [f"{shlex.join(command)}: {fault}" for command in commands(text) if (fault := fault_of(command))]


def commands(text: str) -> Iterator[list[str]]:
    """Return the simple commands of a block, without comments, assignments and redirections."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "$%{}[],@^!:+"
        command: list[str] = []
        words = iter(lexer)
        for word in words:
            if word in REDIRECTS:
                next(words, None)
            elif word in ENDS:
                yield from _without_assignments(command)
                command = []
            else:
                command.append(word)
        yield from _without_assignments(command)


def fault_of(command: list[str]) -> str:
    """Return what is wrong with one command; empty: nothing that can be seen without running it."""
    program, arguments = command[0], command[1:]
    if program in WRAPPERS and "--" in arguments:
        return fault_of(arguments[arguments.index("--") + 1 :])
    if program.rpartition("/")[2] == "claxon":
        return _refused(make_parser(), arguments)
    if program == "make":
        return _make(arguments)
    if PYTHON.fullmatch(program):
        return _python(arguments)
    return ""


def _without_assignments(command: list[str]) -> Iterator[list[str]]:
    words = command[1:] if command[:1] in (["export"], ["sudo"], ["$"]) else command
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if words:
        yield words


def _refused(parser: argparse.ArgumentParser, arguments: list[str]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            parser.parse_args(arguments)
        except SystemExit as end:
            return "" if end.code == 0 else said.getvalue().strip().splitlines()[-1]
    return ""


def _make(arguments: list[str]) -> str:
    for argument in arguments:
        if argument.startswith("ARGS=") and "serve" in arguments:
            return _refused(make_parser(), ["serve", *shlex.split(argument.removeprefix("ARGS="))])
        if "=" not in argument and argument not in TARGETS:
            return f"{argument}: the Makefile has no such target"
    return ""


def _python(arguments: list[str]) -> str:
    if arguments[:2] == ["-m", "claxon"]:
        parser = argparse.ArgumentParser()
        deferred.register(parser.add_subparsers(required=True))
        return _refused(parser, arguments[2:])
    if arguments[:1] == ["-m"]:
        return "" if importlib.util.find_spec(arguments[1]) else f"{arguments[1]}: there is no such module"
    file = next((argument for argument in arguments if argument.endswith(".py")), None)
    if file is None or "/" not in file or "NAME" in file:
        return ""  # a file of the reader's own
    return "" if (ROOT / file).exists() else f"{file}: there is no such file"
