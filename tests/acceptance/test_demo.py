"""`claxon demo` keeps what it promises, in two minutes."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_shows_every_page_and_every_close() -> None:
    """It ends with 0 only if nothing of what it announces was missed."""
    ended = subprocess.run(
        [sys.executable, "-m", "service", "demo", "--exit"], capture_output=True, text=True, timeout=240, check=False
    )

    said = ended.stdout
    assert ended.returncode == 0, said + ended.stderr
    assert "NOT SEEN" not in said
    assert "lone_429 in checkout" in said
    assert "lone_500 in checkout" in said
    for name in ("ClaudeConsecutiveServerErrors", "ClaudeAuthError", "ClaudeErrorRate", "ClaudeRetriesExhausted"):
        assert f"PAGE ━ {name}" in said
        assert f"RESOLVED ━ {name}" in said
    assert ", 0 lost." in said
    assert "Traceback" not in ended.stderr
