"""A notification as an e-mail: headers, text, and HTML.

≠ servers, addresses.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses

from alerts.notification import Notification, Status

from .console_page import page
from .email_html import html
from .headline import is_late, is_repeat, ordered, size, title, word
from .text import brief

MAX_SUBJECT = 200
OURS = frozenset({
    "auto-submitted", "bcc", "content-transfer-encoding", "content-type", "date", "from", "importance", "in-reply-to",
    "message-id", "mime-version", "references", "sender", "subject", "to", "x-auto-response-suppress",
})  # fmt: skip

_LONGEST_LINE = 998  # RFC 5322, 2.1.1
_URGENT = ("PAGE", "CRITICAL")


def message(notification: Notification, *, sender: str, to: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return the whole message, every line of it short enough for SMTP.

    Args:
        notification: What to tell.
        sender: For From.
        to: For To.
        headers: Beside ours; none of `OURS`.
    """
    domain = getaddresses([sender])[0][1].rpartition("@")[2]
    root = f"<claxon.{_digest(notification.receiver, notification.dedup_key)}@{domain}>"
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject(notification)
    mail["Date"] = format_datetime(datetime.fromtimestamp(round(notification.at), UTC))
    mail["Message-ID"] = message_id(notification, domain)
    # The root was never sent, as with most who write to many threads: mail readers gather
    # what refers to the same one, and none of the messages can be missing.
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if _is_urgent(notification):
        mail["Importance"] = "high"
    for name, value in headers:
        mail[name] = value
    mail.set_content(page(notification, colour=False), cte="quoted-printable")
    mail.add_alternative(html(notification), subtype="html", cte="quoted-printable")
    # A subject of some lengths would else begin with a line break, which some readers show as none.
    unfolded = policy.SMTP.clone(max_line_length=_LONGEST_LINE)
    return mail.as_bytes(policy=unfolded if mail["Subject"].isascii() else policy.SMTP)


def subject(notification: Notification) -> str:
    """Return "[FIRING] what is wrong, where", at most 200 characters."""
    environment = ordered(notification)[0].labels.get("environment", "")
    where = "" if not environment or environment in title(notification) else f" ({environment})"
    return brief(f"[{_state(notification)}] {title(notification)}{where}", MAX_SUBJECT)


def message_id(notification: Notification, domain: str) -> str:
    """Return the same for each try of one notification, so that a server which took it before can tell."""
    named = (notification.receiver, notification.dedup_key, notification.status.value, notification.reason)
    return f"<claxon.{_digest(*named, repr(notification.at), notification.undelivered)}@{domain}>"


def _state(notification: Notification) -> str:
    if notification.test:
        return "FIRE DRILL, nothing is wrong"
    state = notification.status.value.upper()
    if size(notification) > 1:
        state += f":{size(notification):,}"
    if is_repeat(notification):
        state += ", still"
    if is_late(notification):
        state += " before it could be told"
    if notification.undelivered:
        who, known, _ = notification.undelivered.partition(":")
        state += f", not delivered to {brief(who, 60) if known else 'another receiver'}"
    return state


def _is_urgent(notification: Notification) -> bool:
    firing = notification.status is Status.FIRING and not notification.test
    return firing and word(ordered(notification)[0]) in _URGENT


def _digest(*named: str) -> str:
    return hashlib.sha256("\0".join(named).encode("utf-8", "surrogatepass")).hexdigest()[:32]
