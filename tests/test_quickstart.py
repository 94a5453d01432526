"""docs/quickstart.md: whoever does what it says sees what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import free_port
from tests.support.repository import ROOT
from tests.support.running import Process, until

PAGE = (ROOT / "docs/quickstart.md").read_text("utf-8")
FOLDER = ROOT / "examples/quickstart"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The page's webhook on a free port: its port, and the file that it prints to."""
    port, printed = str(free_port()), tmp_path / "printed.txt"
    program = tmp_path / "webhook.py"
    program.write_text((FOLDER / "webhook.py").read_text().replace("8080", port))
    with printed.open("w") as file, subprocess.Popen([sys.executable, program], stdout=file, stderr=file) as process:
        try:
            yield port, printed
        finally:
            process.terminate()


def test_the_configuration_of_the_page_is_the_file_that_it_names() -> None:
    (shown,) = blocks("yaml")

    assert shown == "# examples/quickstart/claxon.yml\n" + (FOLDER / "claxon.yml").read_text()
    assert "examples/quickstart/webhook.py" in PAGE


def test_a_rejected_key_pages_the_webhook_as_shown_and_a_429_does_not(
    tmp_path: Path, webhook: tuple[str, Path]
) -> None:
    port, printed = webhook
    curls = [shlex.split(line) for block in blocks("sh") for line in block.splitlines() if line.startswith("curl")]
    (said,) = blocks("text")

    with Process(tmp_path, config=(FOLDER / "claxon.yml").read_text().replace("8080", port)) as claxon:
        for _, option, body, url in (curls[1], curls[1], curls[0]):
            status, answer, _ = claxon.post(body.encode())
            assert (option, url) == ("-d", "http://127.0.0.1:5290/v1/events")
            assert (status, answer) == (202, {"accepted": 1, "rejected": []})

        assert until(lambda: printed.read_text() == said, 10), printed.read_text()
        fired = claxon.get("/v1/alerts")["alerts"]

    assert [alert["alert"]["labels"]["alertname"] for alert in fired] == ["ClaudeAuthError"]
