-- What the notifier remembers (who was told, groups, silences, acknowledgements, ...), one row an entry, MessagePack. Written with the
-- outbox rows it led to, so a restart reads it and works nothing out again.
-- The order of the rows, by id, is the order in which the notifier looks at what they hold.
CREATE TABLE notifier (id INTEGER PRIMARY KEY, part TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (part, name));
-- Secrets that Claxon made for itself, such as the one that signs links; they never leave the database.
CREATE TABLE own_secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL) WITHOUT ROWID;
