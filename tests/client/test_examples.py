"""Each example of docs/client runs, is shown as it is, and prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/client"
EXAMPLES = sorted((ROOT / "examples/client").glob("*.py"))
_SHOWN = re.compile(r'```python\n(""".*?)```\n(?:.*?)```text\n(.*?)```', re.DOTALL)


def shown() -> dict[str, tuple[str, str, str]]:
    """Return (page, source, output) of each example on a page, by its source."""
    found = {}
    for page in sorted(PAGES.glob("*.md")):
        for source, output in _SHOWN.findall(page.read_text()):
            found[source] = (page.name, source, output)
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_an_example_prints_what_its_page_says(example: Path) -> None:
    source = example.read_text()
    page = shown().get(source)
    assert page is not None, f"{example.name}: no page of docs/client shows it as it is"
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("CLAXON_", "ANTHROPIC_"))},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "client"), str(ROOT)]),
    }
    run = subprocess.run(
        [sys.executable, str(example)], capture_output=True, text=True, timeout=30, env=variables, cwd=ROOT, check=False
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout == page[2], f"{page[0]} says otherwise"


def test_each_page_that_shows_an_example_shows_one_that_exists() -> None:
    sources = {path.read_text() for path in EXAMPLES}

    assert [page for page, source, _ in shown().values() if source not in sources] == []
