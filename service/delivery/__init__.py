"""Delivery: outbox -> receivers, a worker an integration, so that one that hangs delays no other.

deliverer     starts and ends the workers
worker        one integration: what may begin now, and what came of it
gate          how many messages it may be sent now
desk          what the workers share; notes writes what came of it
office        where both are done: the core's thread, or that of a node that only delivers
repeating     tells again what stands
failing       which integrations do not take what they are sent
lanes         which want no ends
elsewhere     what other nodes deliver, as the elected one sees it

≠ rules, vendors' formats.
"""

from __future__ import annotations

from .deliverer import Deliverer
from .deliveries import Deliveries
from .failing import Failing
from .lanes import lanes

__all__ = ["Deliverer", "Deliveries", "Failing", "lanes"]
