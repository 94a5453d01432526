"""Several nodes on one database: one is elected, and the others stand by and take over.

≠ how a node is elected: service/storage does that; what the elected one does: service/app.py.
"""
