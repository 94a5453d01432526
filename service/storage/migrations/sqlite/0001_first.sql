-- One row a batch, as it was posted, compressed. received_at: when the events arrived; observed_at: when the engine took them.
-- skip: indexes of events that an earlier batch already held (by event_id), as a JSON array. n = 0 marks a restart.
CREATE TABLE IF NOT EXISTS event_log (
  offset      INTEGER PRIMARY KEY,
  received_at REAL    NOT NULL,
  observed_at REAL    NOT NULL,
  app         TEXT    NOT NULL,
  n           INTEGER NOT NULL,
  skip        TEXT    NOT NULL DEFAULT '',
  body        BLOB    NOT NULL
);
-- A re-post of a batch gets the first answer.
CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, answer TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_at ON idempotency (at);
-- A re-post of an event is not counted.
CREATE TABLE IF NOT EXISTS event_ids (id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_ids_at ON event_ids (at);
-- The engine's state after `offset`; rules names the rules it was made with.
CREATE TABLE IF NOT EXISTS snapshots (id INTEGER PRIMARY KEY, offset INTEGER NOT NULL, at REAL NOT NULL, body BLOB NOT NULL);
-- Up to where decisions are committed: all of batches <= offset, and of instants <= at.
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), offset INTEGER NOT NULL, at REAL NOT NULL);
-- Each episode of each alert, as it was at its latest change.
CREATE TABLE IF NOT EXISTS episodes (
  fingerprint TEXT NOT NULL, episode INTEGER NOT NULL, fired_at REAL NOT NULL, resolved_at REAL, alert TEXT NOT NULL,
  PRIMARY KEY (fingerprint, episode)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS episodes_resolved ON episodes (resolved_at);
CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, row TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_subject ON ledger (subject, id);
-- state: pending, delivered, failed (will not be tried again), cancelled (an end whose beginning nobody took).
CREATE TABLE IF NOT EXISTS outbox (
  id           INTEGER PRIMARY KEY,
  target       TEXT NOT NULL,
  dedup_key    TEXT NOT NULL,
  status       TEXT NOT NULL,
  fingerprint  TEXT NOT NULL,
  notification BLOB NOT NULL,
  created_at   REAL NOT NULL,
  deadline     REAL NOT NULL,
  state        TEXT NOT NULL DEFAULT 'pending',
  attempts     INTEGER NOT NULL DEFAULT 0,
  next_at      REAL NOT NULL,
  ended_at     REAL,
  answer       TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS outbox_pending ON outbox (target, id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS outbox_key ON outbox (target, dedup_key, id);
CREATE INDEX IF NOT EXISTS outbox_alert ON outbox (fingerprint, id);
