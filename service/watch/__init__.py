"""Watch: Claxon looks at itself, and says so where it cannot do its work.

watch         the thread that looks, with an event loop of its own
senses        what it asks of the parts, and what is wrong
troubles      how long it has been wrong, and what follows from that
heartbeat     pings somebody else while all works
blindness     ClaxonBlind, told directly
failing       ClaxonDeliveryFailing
audit         ClaxonPageUntold
corrupted     ClaxonDatabaseCorrupt
scrubbing     reads the whole database once a day
own_pages     those above that go through the outbox, raised and ended
ways          by whom something can be told although something fails
saying        its log
drill         a test page, end to end

≠ what apps do.
"""
