-- Keys that Claxon made and keeps, when each key was used, and who changed what.

-- Keys of the configuration and of the environment are not here. sha256: all that is known of a key. Two rows of one name: a rotation whose
-- overlap is not over. expires_at: the end of its life, NULL for none. overlap_until: another took its place, and it goes on until then.
-- A row that is dead stays for a month, the newest for good: a database that has had a key asks for one.
CREATE TABLE keys (
  id                  INTEGER PRIMARY KEY,
  name                TEXT    NOT NULL,
  scope               TEXT    NOT NULL,
  sha256              TEXT    NOT NULL UNIQUE,
  app                 TEXT    NOT NULL,
  only_app            INTEGER NOT NULL,
  events_per_second   REAL    NOT NULL,
  requests_per_second REAL    NOT NULL,
  burst_s             REAL    NOT NULL,
  created_at          REAL    NOT NULL,
  created_by          TEXT    NOT NULL,
  expires_at          REAL,
  overlap_until       REAL,
  revoked_at          REAL
);
CREATE INDEX keys_name ON keys (name);
-- When a key of whatever source was used last, to about a minute.
CREATE TABLE key_uses (sha256 TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
-- Who changed what. who: the name of a key, or who else it was; via: the way they came. before, after: JSON, or NULL. Never a key.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      REAL NOT NULL,
  who     TEXT NOT NULL,
  via     TEXT NOT NULL,
  address TEXT NOT NULL,
  what    TEXT NOT NULL,
  subject TEXT NOT NULL,
  before  TEXT,
  after   TEXT
);
CREATE INDEX audit_at ON audit (at);
