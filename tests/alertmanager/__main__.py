"""Plays timetables and prints what came of them: python -m tests.alertmanager [KIND,KIND] [NAME...]

Kinds are alertmanager and claxon; alertmanager-2 is another Alertmanager, to see by
how much two of them differ.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .outcome import differences
from .play import play
from .subjects import KINDS
from .timetables import TIMETABLES


def main(kinds: list[str], names: list[str]) -> None:
    """Print each timetable's messages at each subject, and what the first and the last differ in."""
    chosen = [one for one in TIMETABLES if not names or one.name in names]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = play(chosen, Path(folder), kinds=kinds)
    drift = 0.0
    for one in chosen:
        print(f"{one.name}: {one.shows}")
        for kind in kinds:
            print(f"  {kind}: {outcomes[kind][one.name].answers}")
            print(*(f"    {line}" for line in outcomes[kind][one.name].lines), sep="\n")
        first, last = outcomes[kinds[0]][one.name], outcomes[kinds[-1]][one.name]
        print(*(f"  ! {text}" for text in differences(first, last, late=one.late)), sep="\n")
        if not one.wobbles and not one.late:
            drift = max([drift, *(abs(a.at - b.at) for a, b in zip(first.messages, last.messages, strict=False))])
    print(f"{len(chosen)} timetables; the same message came at most {drift:.3f} s apart")


if __name__ == "__main__":
    chosen_kinds, *chosen_names = sys.argv[1:] or [",".join(KINDS)]
    main(chosen_kinds.split(","), chosen_names)
