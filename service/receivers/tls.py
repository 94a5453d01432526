"""`tls_config`, as Alertmanager has it, and the TLS context it makes.

≠ connections.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx2

from .settings import Settings

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")
_TOO_OLD = "too old to keep pages and their keys secret: write TLS12 or TLS13"
_UNVERIFIED = (
    "pages are secrets, and so are the keys they travel with; an unverified server could read both: "
    "write false, and name the authority that signed the server's certificate in ca_file"
)

Stamp = tuple[float, ...]
"""When the files of a `Tls` were last written; another one means that they are to be read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a server is verified, and what it is shown.

    Attributes:
        ca: Authorities to trust instead of the system's, in PEM; "" for none here.
        ca_file: The same in a file.
        cert_file: Our certificate, for servers that want one, in PEM.
        key_file: Its key; None where the certificate's file holds it too.
        server_name: Verified instead of the address's host; "" for that host.
        least: The oldest version that is spoken.
        most: The newest one; None is the newest there is.
    """

    ca: str = ""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    most: ssl.TLSVersion | None = None

    def stamp(self) -> Stamp:
        """Return when the files were written; a missing one counts as never."""
        return tuple(_written(path) for path in (self.ca_file, self.cert_file, self.key_file) if path is not None)

    def context(self) -> ssl.SSLContext:
        """Return a verifying context, from the files as they are now.

        Raises:
            OSError: A file cannot be read; ssl.SSLError is one too, and says that one is wrong.
            ValueError: A key wants a password.
        """
        if self == DEFAULT_TLS:
            return _system_context()
        if self.ca or self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca or None)
        else:
            context = httpx2.create_ssl_context()
        context.minimum_version = self.least
        if self.most is not None:
            context.maximum_version = self.most
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        return context


DEFAULT_TLS = Tls()


def read_tls(settings: Settings, name: str = "tls_config") -> Tls:
    """Read Alertmanager's settings; files are tried here, so that what is wrong is told at the start."""
    below = settings.below(name)
    if below.flag("insecure_skip_verify", default=False):
        below.refuse("insecure_skip_verify", _UNVERIFIED, value="true")
    tls = Tls(
        ca=below.text("ca"),
        ca_file=below.path("ca_file"),
        cert_file=below.path("cert_file"),
        key_file=below.path("key_file"),
        server_name=below.text("server_name"),
        least=_version(below, "min_version") or ssl.TLSVersion.TLSv1_2,
        most=_version(below, "max_version"),
    )
    for inline in ("cert", "key"):
        if below.has(inline):
            below.secret(inline, check=lambda _: "")
            below.refuse(inline, f"not read from here: write it into a file, and name that in {inline}_file")
    below.done()
    _check(below, tls)
    return tls


def _check(settings: Settings, tls: Tls) -> None:
    if tls.ca and tls.ca_file:
        settings.refuse("ca", "ca_file is set too: keep one of them")
    elif tls.key_file and not tls.cert_file:
        settings.refuse("cert_file", "missing: key_file is set, so name its certificate")
    elif tls.most is not None and tls.most < tls.least:
        settings.refuse("max_version", "older than min_version: exchange them")
    else:
        _try(settings, tls)


def _try(settings: Settings, tls: Tls) -> None:
    """Note which of the files is wrong, one after the other, so that the right one is named."""
    trust = Tls(ca=tls.ca, ca_file=tls.ca_file)
    for name, part, remedy in (
        ("ca_file" if tls.ca_file else "ca", trust, "name a file of certificates in PEM"),
        ("cert_file", Tls(cert_file=tls.cert_file, key_file=tls.key_file), "name a certificate and its key in PEM"),
    ):
        try:
            part.context()
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            settings.refuse(name, f"{said}: {remedy}")


def _version(settings: Settings, name: str) -> ssl.TLSVersion | None:
    text = settings.text(name)
    if text in _OLD_VERSIONS:
        settings.refuse(name, _TOO_OLD, value=text)
    elif text and text not in _VERSIONS:
        settings.refuse(name, "write TLS12 or TLS13", value=text)
    return _VERSIONS.get(text)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _no_password() -> str:
    """Else OpenSSL asks for one on the terminal, and waits for ever."""
    raise ValueError("the key wants a password: write it without one")


@cache
def _system_context() -> ssl.SSLContext:
    """The one context of all who have no `tls_config`; reading the system's certificates takes a while."""
    return httpx2.create_ssl_context()
