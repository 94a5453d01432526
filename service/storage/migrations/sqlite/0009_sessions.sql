-- Who logged in on the pages, with which key. sha256: of the session's id, which only the browser has; key_sha256: of the key,
-- which may be of the configuration or the environment. A session whose key is gone opens nothing.
CREATE TABLE sessions (
  sha256     TEXT PRIMARY KEY,
  key_sha256 TEXT NOT NULL,
  made_at    REAL NOT NULL,
  seen_at    REAL NOT NULL
) WITHOUT ROWID;
