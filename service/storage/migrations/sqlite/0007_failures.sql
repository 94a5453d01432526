-- The index of failures. The log holds a batch as one blob; whoever asks for the failures of an app must not open them all.

-- The failed events of the newest batches, as they come: one row a batch that has any, written with it. newest: the latest instant among them.
-- body: [[index in the batch, event], ...] as MessagePack; NULL: read them from the log, for most of a large batch failed.
CREATE TABLE failures_new (offset INTEGER PRIMARY KEY, n INTEGER NOT NULL, newest REAL NOT NULL, body BLOB);
-- The older ones, some thousand at a time, sorted by category, app, environment, path and model, cut into blocks of a few hundred.
-- first, last: rows of the log that it covers. blocks: of each block the number of its events and their earliest and latest instant (packed).
-- A segment counts once this row is there; it is written last.
CREATE TABLE failure_segments (
  id       INTEGER PRIMARY KEY,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  oldest   REAL    NOT NULL,
  newest   REAL    NOT NULL,
  blocks   BLOB    NOT NULL
);
CREATE INDEX failure_segments_last ON failure_segments (last);
-- id: of the segment, times 256, plus the block's number. body: two parts, MessagePack, zstd: how many failures of which kinds it holds,
-- and [[offset, index in the batch, event], ...].
CREATE TABLE failure_blocks (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
-- In which blocks a value stands: four bytes of its hash, one of the block's number, again and again. bucket: six bits of the hash.
-- Who looks for a value reads its bucket of each segment, which lie side by side.
CREATE TABLE failure_terms (bucket INTEGER NOT NULL, segment INTEGER NOT NULL, terms BLOB NOT NULL, PRIMARY KEY (bucket, segment)) WITHOUT ROWID;
-- Rows of the log up to `last` are not in the index yet: they were there before it was. They are added from the newest to the oldest.
CREATE TABLE failures_unindexed (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
INSERT INTO failures_unindexed SELECT 1, coalesce(max(offset), -1) FROM event_log;
