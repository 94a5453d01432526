-- What was refused: the newest, for whoever wants to see what a sender does wrong. `total` is the sum of the lengths
-- of all rows up to and with this one, so that the oldest over a size are found without adding anything up.
CREATE TABLE rejects (id INTEGER PRIMARY KEY, at REAL NOT NULL, app TEXT NOT NULL, total INTEGER NOT NULL, row TEXT NOT NULL);
