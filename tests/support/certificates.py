"""Certificates of an authority that only the tests trust, made by the real openssl."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import require

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, in two files."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; `own.cert` is what to trust."""

    own: Certificate
    folder: Path

    def sign(self, name: str, *, alternative: str) -> Certificate:
        """Return a certificate for a name such as "IP:127.0.0.1" or "DNS:pager.example"."""
        return _make(
            self.folder,
            name,
            *("-CA", str(self.own.cert), "-CAkey", str(self.own.key)),
            *("-addext", f"subjectAltName={alternative}", "-addext", "basicConstraints=critical,CA:FALSE"),
        )

    def server(self, *, alternative: str = "IP:127.0.0.1", wants_client: bool = False) -> ssl.SSLContext:
        """Return a server's context with a certificate for `alternative`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        one = self.sign("server", alternative=alternative)
        context.load_cert_chain(one.cert, one.key)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.own.cert)
        return context


def authority(folder: Path, name: str = "authority") -> Authority:
    """Return a new authority; skips without openssl, as `require` does."""
    return Authority(_make(folder, name, "-addext", "keyUsage=critical,keyCertSign,cRLSign"), folder)


def _make(folder: Path, name: str, *arguments: str) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    files = ("-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(made.cert))
    subprocess.run([require("openssl"), "req", "-x509", *_KEY, *files, *arguments], check=True, capture_output=True)
    return made
