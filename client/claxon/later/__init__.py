"""later: a durable queue of calls that are made when they can be, and a worker that makes them.

    queue = claxon.DeferredCalls("sqlite:///var/lib/shop/later.db")
    queue.defer(key="order-17", model=..., max_tokens=..., messages=[...])
    queue.work(client, handle)  # in another process, or here

Every job that was deferred is handled at least once, or stands among the dead
letters with its reason. Neither `anthropic` nor a store's library is imported
before it is needed.

`queue` is what apps use; `job` and `content` are what travels; `store` is what
a place to keep jobs must do, and `*_store` do it. `verdicts` and `pace` decide,
without I/O; `shift`, `worker` and `aworker` do what they say.
"""

from __future__ import annotations

from .errors import LaterError as LaterError
from .errors import NotDeferrable as NotDeferrable
from .errors import NotPossible as NotPossible
from .errors import QueueFull as QueueFull
from .errors import StoreUnavailable as StoreUnavailable
from .job import Job as Job
from .job import QueueStats as QueueStats
from .job import Reason as Reason
from .job import State as State
from .job import Ticket as Ticket
from .pace import Pauses as Pauses
from .queue import DeferredCalls as DeferredCalls
from .queue import adefer as adefer
from .queue import defer as defer
from .shift import Worked as Worked
from .store import Store as Store
from .store import open_store as open_store
from .verdicts import Patience as Patience
