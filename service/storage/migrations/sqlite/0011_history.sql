-- The history of alerts is asked for newest first, by app or by rule, and what was spent of a budget is drawn over a month.

CREATE INDEX episodes_fired ON episodes (fired_at, fingerprint, episode);
-- A salvaged row may be no JSON any more; an index must not refuse it.
CREATE INDEX episodes_app ON episodes (CASE WHEN json_valid(alert) THEN json_extract(alert, '$.labels.app') END, fired_at);
CREATE INDEX episodes_rule ON episodes (CASE WHEN json_valid(alert) THEN json_extract(alert, '$.rule') END, fired_at);
-- How many calls an app has made since the log began, and how many of them failed with retries exhausted, as it stood at the end of each
-- six hours (step: of Unix time) in which that changed.
CREATE TABLE call_totals (
  app         TEXT    NOT NULL,
  environment TEXT    NOT NULL,
  step        INTEGER NOT NULL,
  calls       INTEGER NOT NULL,
  exhausted   INTEGER NOT NULL,
  PRIMARY KEY (app, environment, step)
) WITHOUT ROWID;
CREATE INDEX call_totals_step ON call_totals (step);
