"""A pager behind TLS."""

from __future__ import annotations

import ssl

from tests.support.pager import Pager, Reply


class TlsPager(Pager):
    """A `Pager` that speaks HTTPS."""

    def __init__(self, context: ssl.SSLContext, *answers: Reply | int) -> None:
        super().__init__(*answers)
        # The handshake is left to each connection's thread, so that a bad one holds up nobody else.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        """The address of the pager."""
        return super().url.replace("http://", "https://")
