"""What mutation testing found: of each file, how many mutants the tests killed, and which survived.

    python -m tests.support.mutation

Read from mutants/, which `make mutation` wrote. Ends with 1 if a file is under 90 %.
"""

from __future__ import annotations

import ast
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

LEAST = 0.9
MUTANTS = Path("mutants/alerts")
SURVIVED = (0, 33)
"""Exit codes: the tests passed; no test runs the function at all."""

_MARK = "# type: ignore # mutmut generated"


def main() -> int:
    """Print the figures and every survivor; return 1 if a file is under the least share."""
    counts: list[tuple[int, int]] = []
    for meta in sorted(MUTANTS.glob("*.py.meta")):
        codes: dict[str, int | None] = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        if not codes:
            continue
        survivors = [name.rpartition(".")[2] for name, code in codes.items() if code is None or code in SURVIVED]
        print(_figure(meta.name.removesuffix(".meta"), len(codes) - len(survivors), len(codes)))
        for line in _changes(meta.with_suffix(""), survivors):
            print(line)
        counts.append((len(codes) - len(survivors), len(codes)))
    killed, made = sum(n for n, _ in counts), sum(n for _, n in counts)
    print(_figure("together", killed, made))
    return 0 if counts and all(n >= LEAST * of for n, of in counts) else 1


def _figure(what: str, killed: int, made: int) -> str:
    return f"{what}: {killed} of {made} killed, {killed / max(1, made):.1%}"


def _changes(source: Path, survivors: list[str]) -> Iterator[str]:
    """Yield the name of each mutant, and the lines in which it is another."""
    lines = source.read_text("utf-8").splitlines()
    bodies = {
        node.name: [line.replace(_MARK, "").rstrip() for line in lines[node.lineno : node.end_lineno]]
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.FunctionDef)
    }
    for name in survivors:
        yield f"  {name}"
        original = bodies[name.partition("__mutmut_")[0] + "__mutmut_orig"]
        for line in list(difflib.unified_diff(original, bodies[name], n=0, lineterm=""))[2:]:
            if not line.startswith("@@"):
                yield f"    {line[0]} {line[1:].strip()}"


if __name__ == "__main__":
    sys.exit(main())
