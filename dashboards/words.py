"""What the queries have in common: selectors made of the dashboard's variables.

The metrics' own words are in docs/reference/metrics.md.
"""

from __future__ import annotations

RATE = "$__rate_interval"

APPS = 'app=~"$app", environment=~"$environment"'
CALLS = f'{APPS}, model=~"$model"'
# An alert that no model is part of stays, whichever model is chosen.
ALERTS = f'{APPS}, model=~"$model|"'
# A zero that is there only while Claxon can be scraped: no data is not "nothing fires".
ZERO = "0 * max(claxon_build_info)"
