"""What must be seen at once of a page that is not like others: a drill, one that somebody else did not take.

≠ vendors' formats.
"""

from __future__ import annotations

from alerts.labels import Labels
from alerts.notification import AlertMessage, Notification, facts

from .text import brief

DRILL = "fire drill: nothing is wrong"
MAX_NOTICE = 300


def notices(notification: Notification) -> list[str]:
    """Return the lines that stand above everything else, mostly none."""
    told = []
    if notification.test:
        told.append("This is a fire drill: nothing is wrong.")
    if notification.undelivered:
        told.append(brief(f"Not delivered where it should have been: {notification.undelivered}", MAX_NOTICE))
    return told


def flag(notification: Notification) -> str:
    """Return the word that marks such a page where people filter: test, undelivered; "" for any other."""
    if notification.test:
        return "test"
    return "undelivered" if notification.undelivered else ""


def marks(message: AlertMessage) -> list[str]:
    """Return what people did about an alert: who has it, what holds it back."""
    told = []
    if message.acked_by:
        told.append(brief(f"acknowledged by {message.acked_by}", MAX_NOTICE))
    if message.muted_by:
        told.append(brief(f"held back by {message.muted_by}", MAX_NOTICE))
    return told


def as_annotations(message: AlertMessage, notification: Notification) -> Labels:
    """Return everything that a page says of an alert, as annotations; a rule's own cannot hide a notice."""
    told = {
        "acked_by": message.acked_by,
        "muted_by": message.muted_by,
        "undelivered": notification.undelivered,
        "test": DRILL if notification.test else "",
    }
    return facts(message) | {name: text for name, text in told.items() if text}
