-- The large tier: each partition of the log on Kafka is evaluated by itself, and what comes of it is reported to the elected node.
--
-- Who owns a partition writes its rows of shard_log, shard_ids, shard_snapshots and glimpses, and adds to transitions and reports. The elected
-- node writes rules_in_force and board, and takes transitions and reports away.

-- What each engine was told, in order, so that it can be told again: messages first..last, observed at an instant, or, without a first, an
-- entry as event_log has them (rules, a pause, a clock set back). `skips` says which of their events were known already.
CREATE TABLE shard_log (
  partition BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  at        DOUBLE PRECISION NOT NULL,
  first     BIGINT,
  last      BIGINT,
  n         BIGINT NOT NULL DEFAULT 0,
  skips     TEXT NOT NULL DEFAULT '',
  entry     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (partition, seq)
);

-- Digests of the names that events and batches were known by, for a day. One partition never waits for another's.
CREATE TABLE shard_ids (partition BIGINT NOT NULL, id BYTEA NOT NULL, at DOUBLE PRECISION NOT NULL, PRIMARY KEY (partition, id));
-- They come in the order of time, and are deleted so: a hundredth of a B-tree's size, and nothing to keep in order.
CREATE INDEX shard_ids_at ON shard_ids USING brin (at) WITH (pages_per_range = 32);

-- `seq` is the last row of shard_log that it holds, and `at` the instant up to which it is evaluated.
CREATE TABLE shard_snapshots (
  partition BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  at        DOUBLE PRECISION NOT NULL,
  rules     TEXT NOT NULL,
  anchor    BIGINT NOT NULL DEFAULT 0,
  body      BYTEA NOT NULL,
  PRIMARY KEY (partition, seq)
);
ALTER TABLE shard_snapshots ALTER COLUMN body SET STORAGE EXTERNAL;

-- What pages show of each partition's counts.
CREATE TABLE glimpses (partition BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, body BYTEA NOT NULL);
ALTER TABLE glimpses ALTER COLUMN body SET STORAGE EXTERNAL;

-- Alerts that changed, one row a change, until the elected node has told whom it concerns. Of one partition they are in the order of ids.
CREATE TABLE transitions (
  id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  partition BIGINT NOT NULL,
  body      BYTEA NOT NULL
);

-- What else was decided, and which events failed: for the ledger and the search.
CREATE TABLE reports (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partition BIGINT NOT NULL, body BYTEA NOT NULL);

-- Alerts as the elected node knows them, with what each partition says of them.
CREATE TABLE board (fingerprint TEXT COLLATE "C" PRIMARY KEY, body BYTEA NOT NULL);

CREATE TABLE rules_in_force (
  one   BIGINT PRIMARY KEY CHECK (one = 1),
  at    DOUBLE PRECISION NOT NULL,
  rules TEXT NOT NULL
);
