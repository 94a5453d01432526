"""A real SMTP server on 127.0.0.1 that remembers what came: STARTTLS, AUTH, refusals, silence."""

from __future__ import annotations

import asyncio
import email
import hashlib
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(slots=True, kw_only=True)
class Rules:
    """How the server answers.

    Attributes:
        replies: By command ("MAIL", "RCPT", "DATA") or by recipient: the whole reply.
        user: "name:password" that it wants; "" lets everybody in.
        mechanisms: Of AUTH.
        hang: The command ("MAIL", "RCPT", "DATA") that it never answers.
    """

    replies: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    hang: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it came.

    Attributes:
        sender: Of the envelope.
        recipients: Of the envelope.
        message: With its headers.
        raw: As it came.
        encrypted: Whether TLS was spoken.
        hello: What the sender called itself.
        user: Who was authenticated; "" for nobody.
    """

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes
    encrypted: bool
    hello: str
    user: str


class MailServer:
    """Use as a context manager.

    Args:
        rules: How it answers; may be exchanged while it runs.
        tls: For STARTTLS; None offers none.
        implicit: TLS from the first byte instead.
    """

    def __init__(
        self, rules: Rules | None = None, *, tls: ssl.SSLContext | None = None, implicit: ssl.SSLContext | None = None
    ) -> None:
        self.rules = rules or Rules()
        self.received: list[Mail] = []
        self.attempts = 0
        self._controller = _Controller(self, tls, implicit)

    @property
    def address(self) -> str:
        """What to write as `smarthost`."""
        return f"127.0.0.1:{self._controller.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


class _Controller(Controller):
    def __init__(self, server: MailServer, tls: ssl.SSLContext | None, implicit: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._server = server
        super().__init__(_Handler(server), hostname="127.0.0.1", port=0, ssl_context=implicit, ready_timeout=10)

    def factory(self) -> SMTP:
        rules = self._server.rules
        return SMTP(
            self.handler,
            hostname="mail.example",
            tls_context=self._tls,
            authenticator=self._check,
            auth_require_tls=False,
            auth_exclude_mechanism={"PLAIN", "LOGIN", "CRAM-MD5"} - set(rules.mechanisms),
            timeout=30,
        )

    def _trigger_server(self) -> None:
        # The system chose the port.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def _check(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = f"{data.login.decode()}:{data.password.decode()}"
        return AuthResult(success=given == self._server.rules.user, auth_data=data.login.decode(), handled=False)


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self.server = server

    async def auth_CRAM__MD5(self, server: Any, args: Any) -> AuthResult:  # noqa: N802
        name, _, secret = self.server.rules.user.partition(":")
        asked = b"<1896.697170952@mail.example>"
        said = await server.challenge_auth(asked)
        digest = hmac.new(secret.encode(), asked, hashlib.md5).hexdigest()
        return AuthResult(success=said == f"{name} {digest}".encode(), auth_data=name, handled=False)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        self.server.attempts += 1
        if self.server.rules.user and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return await self._reply("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        reply = self.server.rules.replies.get(address) or await self._reply("RCPT", "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = await self._reply("DATA", "250 2.0.0 Ok: queued as 4cXk")
        if reply.startswith("250"):
            raw = envelope.content or b""
            assert isinstance(raw, bytes)
            message = email.message_from_bytes(raw, policy=policy.default)
            assert isinstance(message, EmailMessage)
            mail = Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                message=message,
                raw=raw,
                encrypted=server.transport.get_extra_info("ssl_object") is not None,
                hello=session.host_name or "",
                user=str(session.auth_data or ""),
            )
            self.server.received.append(mail)
        return reply

    async def _reply(self, command: str, otherwise: str) -> str:
        if command == self.server.rules.hang:
            await asyncio.Event().wait()
        return self.server.rules.replies.get(command, otherwise)
