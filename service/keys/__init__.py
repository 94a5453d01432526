"""Keys: who may post, read and change things.

record     one key of the database, and how a key is made
bucket     so many a second, and for a while more
guesses    addresses that try keys
in_force   the keys that count now, wherever they come from: asked at every request
book       keys of the database: made, rotated, revoked
only_app   events of another app than the key's, refused one by one
listing    every key with its source, its state and when it was used, for people

≠ HTTP, the command line.
"""
