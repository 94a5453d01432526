"""The service's own certificate: checked at the start, read again at a reload.

≠ certificates of those it sends to (receivers/tls.py).
"""

from __future__ import annotations

import ssl

from .settings import SettingsError, TlsFiles

_ENCRYPTED = "encrypted: nobody is there to type its passphrase: write it without one, readable by this user alone"


class Certificate:
    """What connections are encrypted with. A new one counts for new connections.

    Attributes:
        context: Of the listening socket, for good.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read it.

        Raises:
            SettingsError: A file cannot be read, or they do not belong together.
        """
        self._files = files
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(self.context, files)

    def check(self) -> None:
        """Look whether the files can be used as they are now; nothing changes.

        Raises:
            SettingsError: They cannot.
        """
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._files)

    def renew(self) -> None:
        """Read the files again, for connections from now on.

        Raises:
            SettingsError: They cannot be used, and what was read before may not count any more: `check` first.
        """
        _load(self.context, self._files)


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    certificate, key = f"--tls-cert: {files.certificate}", f"--tls-key: {files.key}"
    for where, path in ((certificate, files.certificate), (key, files.key)):
        try:
            path.read_bytes()
        except OSError as fault:
            raise SettingsError(f"{where}: {fault.strerror or fault}: name a file that this user may read") from fault
    try:
        context.load_cert_chain(files.certificate, files.key, password=_ask_nobody)
    except _EncryptedError as fault:
        raise SettingsError(f"{key}: {_ENCRYPTED}") from fault
    except ssl.SSLError as fault:
        if fault.reason == "KEY_VALUES_MISMATCH":
            said = f"{key}: not the key of {files.certificate}: name the two that belong together"
            raise SettingsError(said) from fault
        where = certificate if not _holds_certificate(files) else key
        raise SettingsError(f"{where}: {fault.reason or 'not PEM'}: {_WANTED[where is key]}") from fault


_WANTED = {
    False: "a PEM file of the certificate, and below it those of the authorities in between",
    True: "a PEM file of the private key",
}


def _holds_certificate(files: TlsFiles) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(files.certificate)
    except ssl.SSLError:
        return False
    return True


class _EncryptedError(Exception):
    pass


def _ask_nobody() -> str:
    raise _EncryptedError
