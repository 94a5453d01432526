"""Several nodes on one database: one is elected, and the others stand by, take events, and take over.

A node: `node.py`, with the `parts.py` that its roles give it. Events: `ingest.py` (the doors), `inbox_writer.py` and
`rounds.py` on any node; `follower.py` on the elected one.

≠ how a node is elected: service/storage does that; what the elected one does: service/app.py.
"""
