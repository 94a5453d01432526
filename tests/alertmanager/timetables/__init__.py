"""All timetables, in the order of the documents."""

from .api import API
from .deliveries import DELIVERIES
from .grouping import GROUPING
from .inhibition import INHIBITION
from .lifetimes import LIFETIMES
from .routing import ROUTING
from .silences import SILENCES

CHAPTERS = {
    "Groups and timers": GROUPING,
    "When alerts begin and end": LIFETIMES,
    "Routes and receivers": ROUTING,
    "Inhibition": INHIBITION,
    "Silences and time intervals": SILENCES,
    "API v2": API,
    "Failures, restarts and reloads": DELIVERIES,
}
TIMETABLES = tuple(one for chapter in CHAPTERS.values() for one in chapter)
