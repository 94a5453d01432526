"""E-mail by SMTP: one message for each notification, a thread for each episode.

≠ the conversation with the server, the layout of a message.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email.utils import getaddresses
from ipaddress import ip_address
from typing import Self

from alerts.notification import Notification

from .base import Answer, DeliveryError, Rate, Reason
from .email_message import OURS, message
from .email_smtp import Conversation, Login, Smarthost
from .endpoint import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S
from .headers import value_problem
from .layout import laid_out
from .settings import Settings, read_rate
from .text import clean
from .threads import in_thread
from .tls import read_tls

IMPLICIT_TLS_PORT = 465
MAX_RECIPIENTS = 100
"""What every server takes in one message (RFC 5321, 4.5.3.1.8)."""

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_HELLO = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_IN_THE_CLEAR = "would go through the network in the clear: leave out require_tls: false, or the login"
_LATER = ("html", "text", "threading")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailConfig:
    """An entry of `email_configs`.

    Attributes:
        server: What takes our mail.
        sender: As it stands in From, with a name or without.
        recipients: Addresses alone, at least one.
        to: The same as it stands in To.
        headers: Beside ours.
        send_resolved: True here, unlike in Alertmanager: each page gets its close.
        timeout: Seconds for the whole conversation, > 0.
        rate: How many messages it may be sent; None is as many as there are.
    """

    server: Smarthost
    sender: str
    recipients: tuple[str, ...]
    to: str
    headers: tuple[tuple[str, str], ...] = ()
    send_resolved: bool = True
    timeout: float = DEFAULT_TIMEOUT_S
    rate: Rate | None = None

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        senders = _addresses(settings, "from")
        recipients = _addresses(settings, "to")
        if len(senders) > 1:
            settings.refuse("from", "several addresses: write one")
        if len(recipients) > MAX_RECIPIENTS:
            settings.refuse("to", f"more than {MAX_RECIPIENTS} addresses: write one of a list")
        config = cls(
            server=_server(settings),
            sender=settings.text("from"),
            recipients=recipients,
            to=settings.text("to"),
            headers=_headers(settings),
            send_resolved=settings.flag("send_resolved", default=True),
            timeout=settings.seconds("timeout", default=DEFAULT_TIMEOUT_S, most=MAX_TIMEOUT_S),
            rate=read_rate(settings, None),
        )
        settings.done(unsupported=_LATER)
        return config


class EmailReceiver:
    """Sends each notification as one e-mail to all recipients."""

    kind = "email"
    pairs = False
    resend_s = None

    def __init__(self, config: EmailConfig) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self._config = config

    async def send(self, notification: Notification) -> Answer:
        """Deliver once; a yes for some of the recipients is a yes, and the answer names the others."""
        config = self._config
        mail = await laid_out(
            len(notification.alerts),
            lambda: message(notification, sender=config.sender, to=config.to, headers=config.headers),
        )
        conversation = Conversation(config.server, timeout=config.timeout)
        try:
            async with asyncio.timeout(config.timeout):
                said = await in_thread(
                    lambda: conversation.send(_bare(config.sender), config.recipients, mail), name="claxon-email"
                )
        except TimeoutError:
            problem = f"{config.server}: no answer within {config.timeout:g} s"
            raise DeliveryError(problem, reason=Reason.TIMEOUT) from None
        finally:
            conversation.cut_off()
        return Answer(text=said)

    async def close(self) -> None:
        """Do nothing: each message has a connection of its own."""


def _bare(written: str) -> str:
    return getaddresses([written])[0][1]


def _addresses(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the addresses of a list with commas; a problem where one is none."""
    written = settings.text(name)
    found = tuple(address for _, address in getaddresses([written]))
    if not written:
        settings.refuse(name, "missing: write an address, such as oncall@example.org")
    elif written != clean(written) or not found or not all(_ADDRESS.fullmatch(address) for address in found):
        settings.refuse(name, "write addresses such as oncall@example.org, with commas between", value=written)
    return found


def _server(settings: Settings) -> Smarthost:
    host, port = _smarthost(settings)
    forced = settings.flag("force_implicit_tls", default=port == IMPLICIT_TLS_PORT)
    starttls = settings.flag("require_tls", default=True) and not forced
    hello = settings.text("hello", default="localhost")
    if not _HELLO.fullmatch(hello):
        settings.refuse("hello", "write this machine's name", value=hello)
    login = _login(settings)
    encrypted = forced or starttls
    if login is not None and login.password is not None and not encrypted and not _is_this_machine(host):
        settings.refuse("auth_password", _IN_THE_CLEAR)
    return Smarthost(
        host=host,
        port=port,
        hello=hello,
        implicit=forced,
        starttls=starttls,
        tls=read_tls(settings),
        login=login,
    )


def _smarthost(settings: Settings) -> tuple[str, int]:
    written = settings.text("smarthost")
    host, _, port = written.rpartition(":")
    if not written:
        settings.refuse("smarthost", "missing: write the mail server, such as smtp.example.org:587")
    elif not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65_536 or " " in host:
        settings.refuse("smarthost", "write host:port, such as smtp.example.org:587", value=written)
    else:
        return host.removeprefix("[").removesuffix("]"), int(port)
    return "localhost", 25


def _login(settings: Settings) -> Login | None:
    username = settings.text("auth_username")
    password = settings.secret("auth_password", check=_secret_problem)
    secret = settings.secret("auth_secret", check=_secret_problem)
    identity = settings.text("auth_identity")
    if not username:
        if password is not None or secret is not None:
            settings.refuse("auth_username", "missing: write whose password it is, or leave that out")
        return None
    if password is None and secret is None:
        settings.refuse("auth_password", "missing: write auth_password or auth_password_file, or auth_secret")
    return Login(username=username, password=password, secret=secret, identity=identity)


def _secret_problem(text: str) -> str:
    return "" if text else "empty: write it"


def _headers(settings: Settings) -> tuple[tuple[str, str], ...]:
    below = settings.below("headers")
    headers = [(name, below.text(name)) for name in below.names()]
    for name, value in headers:
        if name.lower() in OURS:
            below.refuse(name, "set by Claxon: remove it")
        elif not _HEADER.fullmatch(name):
            below.refuse(name, "no name of a header: write letters, digits and -")
        elif "{{" in value:
            below.refuse(name, "templates are not supported: write a text", value=value)
        elif problem := value_problem(value):
            below.refuse(name, problem)
    return tuple(headers)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
