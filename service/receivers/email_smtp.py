"""One conversation with a mail server: TLS, authentication, one message.

≠ what the message says, time-outs of the whole.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from .base import DeliveryError, Reason
from .secret import SecretSource, blot
from .text import brief
from .tls import Tls

MAX_ANSWER = 200
_READY = 220
_AUTHENTICATED = 235
_ASKS = 334
_WRONG_LOGIN = 535
_AUTH_CODES = frozenset({530, 534, 535, 538})
_NO_STARTTLS = "offers no STARTTLS: mend it, or write require_tls: false, and everybody on the way can read pages"
_NO_AUTH = "offers no way to authenticate that we know (PLAIN, LOGIN, CRAM-MD5): leave out auth_username, or mend it"


_Answer = Callable[[smtplib.SMTP], tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are.

    Attributes:
        username: As the server knows us.
        password: For PLAIN and LOGIN; None without.
        secret: For CRAM-MD5; None without.
        identity: On whose behalf, for PLAIN; "" for the user's own.
    """

    username: str
    password: SecretSource | None = None
    secret: SecretSource | None = None
    identity: str = ""

    def secrets(self) -> set[str]:
        """Return what no error may show."""
        known = [source.reveal() for source in (self.password, self.secret) if source is not None]
        plain = [f"{self.identity}\0{self.username}\0{text}" for text in known]
        return {*known, *(base64.b64encode(text.encode()).decode() for text in (*known, *plain))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Smarthost:
    """A mail server.

    Attributes:
        host: Its name or address.
        port: Its port.
        hello: What we call ourselves.
        implicit: TLS from the first byte, as on port 465.
        starttls: TLS before anything else is said.
        tls: How it is verified.
        login: Who we are; None says nothing.
    """

    host: str
    port: int
    hello: str = "localhost"
    implicit: bool = False
    starttls: bool = True
    tls: Tls
    login: Login | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Conversation:
    """Sends one message; may be cut off from another thread."""

    def __init__(self, server: Smarthost, *, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self._smtp = smtplib.SMTP(local_hostname=server.hello, timeout=timeout)
        self._cut = False

    def cut_off(self) -> None:
        """End it, whatever it waits for."""
        self._cut = True
        self._shut()

    def send(self, sender: str, recipients: tuple[str, ...], message: bytes) -> str:
        """Return what the server said when it took the message.

        Raises:
            DeliveryError: It did not, for any of the recipients.
        """
        try:
            self._connect()
            self._authenticate()
            return self._deliver(sender, recipients, message)
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise self._broken(error) from None
        finally:
            self._leave()

    def _connect(self) -> None:
        server = self._server
        context = server.tls.context() if server.implicit or server.starttls else None
        self._smtp.sock = socket.create_connection((server.host, server.port), self._timeout)
        if self._cut:
            self._shut()
        if context is not None and server.implicit:
            self._encrypt(context)
        self._expect(self._smtp.getreply(), _READY)
        self._smtp.ehlo_or_helo_if_needed()
        if context is not None and not server.implicit:
            self._start_tls(context)

    def _start_tls(self, context: ssl.SSLContext) -> None:
        if not self._smtp.has_extn("starttls"):
            raise DeliveryError(f"{self._server}: {_NO_STARTTLS}", reason=Reason.CLIENT)
        self._expect(self._smtp.docmd("STARTTLS"), _READY)
        self._encrypt(context)
        # Nothing that was said in the clear counts any more (RFC 3207, 4.2).
        self._smtp.ehlo_resp = self._smtp.helo_resp = None
        self._smtp.esmtp_features, self._smtp.does_esmtp = {}, False
        self._smtp.ehlo_or_helo_if_needed()

    def _encrypt(self, context: ssl.SSLContext) -> None:
        assert self._smtp.sock is not None
        name = self._server.tls.server_name or self._server.host
        self._smtp.sock = context.wrap_socket(self._smtp.sock, server_hostname=name)
        self._smtp.file = None  # what came in the clear and was not read yet is forgotten

    def _authenticate(self) -> None:
        login = self._server.login
        if login is None:
            return
        offered = self._smtp.esmtp_features.get("auth", "").upper().split()
        for mechanism, answer in _ways(login):
            if mechanism in offered:
                code, said = answer(self._smtp)
                # Whatever it says for good here, what it refuses is the login.
                self._expect((_WRONG_LOGIN if code >= 500 else code, said), _AUTHENTICATED)
                return
        raise DeliveryError(f"{self._server}: {_NO_AUTH}", reason=Reason.AUTH)

    def _deliver(self, sender: str, recipients: tuple[str, ...], message: bytes) -> str:
        self._expect(self._smtp.mail(sender), 250)
        refused: list[tuple[str, int, bytes]] = []
        for recipient in recipients:
            code, said = self._smtp.rcpt(recipient)
            if code not in (250, 251):
                refused.append((recipient, code, said))
        if len(refused) == len(recipients):
            # One that may be taken later keeps the whole message waiting.
            _, code, said = min(refused, key=lambda one: one[1])
            raise smtplib.SMTPResponseException(code, said)
        code, said = self._smtp.data(message)
        self._expect((code, said), 250)
        return self._shown(f"{code} {_text(said)}") + self._missed(refused)

    def _missed(self, refused: list[tuple[str, int, bytes]]) -> str:
        told = "; ".join(f"{recipient}: {code} {_text(said)}" for recipient, code, said in refused)
        return f"; not to {self._shown(told)}" if told else ""

    def _expect(self, reply: tuple[int, bytes], code: int) -> None:
        if reply[0] != code:
            raise smtplib.SMTPResponseException(*reply)

    def _refused(self, code: int, said: bytes | str) -> DeliveryError:
        text = self._shown(f"{code} {_text(said)}")
        reason, remedy = Reason.SERVER, "the server is in trouble"
        if code in _AUTH_CODES:
            reason, remedy = Reason.AUTH, "check auth_username and its password"
        elif 500 <= code < 600:
            reason, remedy = Reason.CLIENT, "it refuses what we send"
        return DeliveryError(f"{self._server}: answered {text}: {remedy}", reason=reason)

    def _broken(self, error: Exception) -> DeliveryError:
        reason = Reason.TIMEOUT if isinstance(error, TimeoutError) else Reason.NETWORK
        return DeliveryError(f"{self._server}: {self._shown(f'{type(error).__name__}: {error}')}", reason=reason)

    def _leave(self) -> None:
        with suppress(smtplib.SMTPException, OSError, ValueError):
            if self._smtp.sock is not None:
                self._smtp.sock.settimeout(1.0)  # the message is through, or never will be
                self._smtp.quit()
        self._smtp.close()

    def _shut(self) -> None:
        sock = self._smtp.sock
        with suppress(OSError):
            if sock is not None:
                sock.shutdown(socket.SHUT_RDWR)

    def _shown(self, text: str) -> str:
        login = self._server.login
        return brief(blot(text, login.secrets() if login is not None else ()), MAX_ANSWER)


def _ways(login: Login) -> list[tuple[str, _Answer]]:
    """How to authenticate, the best first."""
    ways: list[tuple[str, _Answer]] = []
    user = login.username
    if login.secret is not None:
        secret = login.secret.reveal()
        ways.append(("CRAM-MD5", lambda smtp: _dialogue(smtp, "CRAM-MD5", lambda asked: _digest(user, secret, asked))))
    if login.password is not None:
        password = login.password.reveal()
        plain = f"{login.identity}\0{user}\0{password}"
        ways.append(("PLAIN", lambda smtp: smtp.docmd("AUTH", f"PLAIN {_base64(plain)}")))
        ways.append(("LOGIN", lambda smtp: _dialogue(smtp, "LOGIN", lambda _: user, lambda _: password)))
    return ways


def _dialogue(smtp: smtplib.SMTP, mechanism: str, *answers: Callable[[bytes], str]) -> tuple[int, bytes]:
    """Answer each question of the server in turn, and return what it says in the end."""
    code, said = smtp.docmd("AUTH", mechanism)
    for answer in answers:
        if code != _ASKS:
            break
        code, said = smtp.docmd(_base64(answer(said)))
    return code, said


def _digest(user: str, secret: str, asked: bytes) -> str:
    """The answer of CRAM-MD5 (RFC 2195)."""
    return f"{user} {hmac.new(secret.encode(), base64.b64decode(asked), hashlib.md5).hexdigest()}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")
