"""The on-call page: what the views hold, as HTML that a tired person can trust.

    gather.py     asks the core for all that one page shows, in one go
    now.py        the front page: what is said of all alerts and apps together
    alert.py      one alert's page: evidence, request ids, who was told
    around.py     the time around its firing as the geometry of a chart
    measure.py    what of a rule's numbers can be drawn
    history.py    what fired and how it ended, and the questions one may ask of it
    week.py       the last 7 days as strips, one an app
    rules.py      the rules: how each does, how near it is to firing
    trying.py     the form that tries other numbers for a rule, and what came of them
    budgets.py    what each app may fail, what of it is spent, when it is gone
    month.py      the last 30 days of a budget as the geometry of a chart
    ledger.py     what was decided, told or not, and the questions one may ask of it
    delivery.py   what waits, what was sent, and how that went
    explorer.py   failures by filter
    tally.py      failures counted by what they have in common
    axis.py       a stretch of time to draw over
    chart.py      the last hour as the geometry of two charts
    operations.py the requests of the API
    navigation.py the row of pages on top of each
    words.py      rules, blame and decisions in words
    format.py     times, durations, numbers; foreign text made harmless
    render.py     Jinja2, and the headers every page has
    assets.py     style sheet, script and icons, with a version in their address
    templates/ static/

≠ how an alert is decided, SQL.
"""
