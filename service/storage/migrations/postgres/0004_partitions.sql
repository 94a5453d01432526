-- The log on Kafka: who evaluates which partition, and up to where that is committed. Kafka's own offsets are a courtesy to its tools.
CREATE TABLE partitions (
  partition   BIGINT PRIMARY KEY,
  generation  BIGINT NOT NULL,                   -- how many owners it had; who has an older one writes nothing
  owner       TEXT NOT NULL,
  owned_since DOUBLE PRECISION NOT NULL,
  next_offset BIGINT NOT NULL DEFAULT 0,         -- of the first message that is not evaluated
  logged_at   DOUBLE PRECISION NOT NULL DEFAULT 0, -- when the newest that is was written to the log, by the brokers' clock
  at          DOUBLE PRECISION NOT NULL DEFAULT '-infinity', -- as in cursor, of the partition's own engine
  hash        TEXT NOT NULL DEFAULT '',
  decided     BIGINT NOT NULL DEFAULT 0
);
-- Messages that nobody could read, or evaluate: passed over. Kafka has them as long as it keeps its log.
CREATE TABLE partition_poison (
  partition BIGINT NOT NULL,
  "offset"  BIGINT NOT NULL,
  at        DOUBLE PRECISION NOT NULL,
  why       TEXT NOT NULL,
  PRIMARY KEY (partition, "offset")
);
-- Messages that were gone before they were evaluated: the log was kept too short, or brokers lost it.
CREATE TABLE partition_losses (
  partition   BIGINT NOT NULL,
  expected    BIGINT NOT NULL,                   -- the offset that was to be next
  found       BIGINT NOT NULL,                   -- from where it went on
  lost        BIGINT NOT NULL,                   -- messages at most; 0 where nobody can know
  at          DOUBLE PRECISION NOT NULL,
  why         TEXT NOT NULL,
  PRIMARY KEY (partition, expected, at)
);
