"""Storage: the event log, state and outbox on SQLite.

≠ HTTP, receivers, rules. Functions take the connection, so that the caller says
what one transaction is.
"""
