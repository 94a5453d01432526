-- Who sends what waits. A lease is on the first waiting row of a key, and so on all that waits behind it. Its times are by the clock of this
-- server, for those of nodes differ: whoever finds a lease that has ended may take the row.
ALTER TABLE outbox ADD COLUMN leased_by TEXT COLLATE "C";
ALTER TABLE outbox ADD COLUMN leased_until DOUBLE PRECISION;

-- A row is due at once, also where the clock of the node that decided it is ahead of the one by which others look.
CREATE FUNCTION due_by_our_clock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.next_at := least(NEW.next_at, date_part('epoch', clock_timestamp()));
  RETURN NEW;
END $$;
CREATE TRIGGER outbox_due_at BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION due_by_our_clock();

-- Nodes that deliver, each with the name by which it leases and, as JSON, the integrations that its configuration has; and when an integration that forgets is told again, by whoever is first.
CREATE TABLE deliverers (
  name    TEXT COLLATE "C" PRIMARY KEY,
  node    TEXT NOT NULL,
  targets TEXT NOT NULL,
  since   DOUBLE PRECISION NOT NULL,
  seen_at DOUBLE PRECISION NOT NULL
);
CREATE TABLE repeats (target TEXT COLLATE "C" PRIMARY KEY, next_at DOUBLE PRECISION NOT NULL);
