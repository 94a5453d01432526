-- Rows of one key that wait are told in one message, what a receiver refuses goes to another one, and each try is kept.

-- merged_into: the row with whose message this one went. origin: for which integration this one stands in; '' for itself.
ALTER TABLE outbox ADD COLUMN merged_into INTEGER;
ALTER TABLE outbox ADD COLUMN origin TEXT NOT NULL DEFAULT '';
DROP INDEX outbox_pending;
-- Which alerts a row tells of: of a group, up to a hundred.
CREATE TABLE outbox_alerts (fingerprint TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (fingerprint, row)) WITHOUT ROWID;
CREATE INDEX outbox_alerts_row ON outbox_alerts (row);
INSERT INTO outbox_alerts SELECT fingerprint, id FROM outbox;
DROP INDEX outbox_alert;
CREATE INDEX outbox_due ON outbox (target, next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_waiting ON outbox (target, dedup_key, id) WHERE state = 'pending';
CREATE INDEX outbox_origin ON outbox (origin, dedup_key, id) WHERE origin <> '';
-- One row a try. row: of the outbox. outcome: delivered, or the class of the failure. status: of HTTP, if there was an answer.
-- gave_up = 1: nothing is tried again after it.
CREATE TABLE attempts (
  id         INTEGER PRIMARY KEY,
  row        INTEGER NOT NULL,
  target     TEXT    NOT NULL,
  at         REAL    NOT NULL,
  duration_s REAL    NOT NULL,
  outcome    TEXT    NOT NULL,
  gave_up    INTEGER NOT NULL,
  status     INTEGER,
  answer     TEXT    NOT NULL
);
CREATE INDEX attempts_row ON attempts (row, id);
CREATE INDEX attempts_target ON attempts (target, id);
