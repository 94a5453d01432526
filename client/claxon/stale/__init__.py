"""stale: the last good answer of a call, for when all else fails; only for calls that the app marked."""

from .answers import StaleAnswers
from .disk import DiskStore
from .marked import may_be_stale
from .memory import MemoryStore
from .redis_store import RedisStore
from .store import Kept, Store

__all__ = ["DiskStore", "Kept", "MemoryStore", "RedisStore", "StaleAnswers", "Store", "may_be_stale"]
