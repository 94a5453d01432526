-- The delivery's page: of one integration, or in one state, the newest rows first. A row's state lies behind its notification,
-- so that without an index looking for the few that were given up would read all of every row.
CREATE INDEX outbox_shown ON outbox (target, state, id);
