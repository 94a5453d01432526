-- The rules that decided are kept with what they decided, and the ledger can be searched and proved.

-- A snapshot (MessagePack, zstd) carries the rules it was made with (canonical JSON). anchor = 1: kept until the log before it is pruned, so that
-- `claxon verify` has a state to begin with. Those of schema 1 say nothing of their rules: the log, from its start, replaces them.
DELETE FROM snapshots;
ALTER TABLE snapshots ADD COLUMN rules TEXT NOT NULL DEFAULT '';
ALTER TABLE snapshots ADD COLUMN anchor INTEGER NOT NULL DEFAULT 0;
-- The engine's ledger hash, and how many decisions it covers, at that offset and instant; '' is not known.
ALTER TABLE cursor ADD COLUMN hash TEXT NOT NULL DEFAULT '';
ALTER TABLE cursor ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;
-- Every text of a rule that was ever in force, by the hash that alerts and decisions name.
CREATE TABLE rule_texts (hash TEXT PRIMARY KEY, id TEXT NOT NULL, at REAL NOT NULL, rule TEXT NOT NULL) WITHOUT ROWID;
-- total: the bytes of this row and all before it, so that the ledger can be cut to a size without reading it.
ALTER TABLE ledger ADD COLUMN app TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN environment TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET
  app = coalesce(json_extract(row, '$.labels.app'), ''),
  environment = coalesce(json_extract(row, '$.labels.environment'), ''),
  rule = coalesce(json_extract(row, '$.labels.alertname') || '/' || coalesce(json_extract(row, '$.labels.severity'), 'page'), '');
UPDATE ledger SET total = sizes.total
  FROM (SELECT id, sum(length(CAST(row AS BLOB))) OVER (ORDER BY id) AS total FROM ledger) AS sizes WHERE sizes.id = ledger.id;
DROP INDEX ledger_subject;
CREATE INDEX ledger_at ON ledger (at);
CREATE INDEX ledger_subject ON ledger (subject, at) WHERE subject <> '';
CREATE INDEX ledger_what ON ledger (what, at);
CREATE INDEX ledger_app ON ledger (app, at) WHERE app <> '';
CREATE INDEX ledger_rule ON ledger (rule, at) WHERE rule <> '';
