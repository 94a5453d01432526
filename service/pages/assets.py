"""Style sheet, script and icons, with a version in their address so that browsers keep them for ever.

≠ templates.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def load_assets() -> dict[str, tuple[bytes, str]]:
    """Return (content, media type) by file name."""
    found = sorted(path for path in FOLDER.iterdir() if path.suffix in _KINDS)
    return {path.name: (path.read_bytes(), _KINDS[path.suffix]) for path in found}


def version_of(assets: dict[str, tuple[bytes, str]]) -> str:
    """Return 12 hex digits that change when any of them does."""
    content = b"\0".join(name.encode() + b"\0" + body for name, (body, _) in sorted(assets.items()))
    return hashlib.sha256(content).hexdigest()[:12]
