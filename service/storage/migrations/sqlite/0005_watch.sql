-- The watch writes here, again and again, to see that what is taken can be written. One row.
CREATE TABLE pulse (one INTEGER PRIMARY KEY CHECK (one = 1), at REAL NOT NULL);
