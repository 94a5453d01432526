"""The domain: events in, decisions out. Pure: no I/O, no clock, no randomness, no logging, no async.

Time is an argument everywhere (`now`, `g`), in Unix seconds; durations are seconds.
docs/reference/decisions.md says exactly what is decided; the map of this folder:

    durations     "5m" <-> 300
    labels        label sets, fingerprints
    matchers      name="value", name=~"regex"
    windows       counts of one key over one rolling window
    meters        counts of many keys over many windows, fed by the second
    error_rate    the literal share, and the Wilson bound that asks "or by chance?"
    streaks       consecutive failures, in event time
    budgets       error budget and burn rate
    rules         the typed, validated form of each kind of rule
    default_rules the rules Claxon ships
    provisional   failures that a later attempt may take back
    evidence      what a page shows: request ids, error types, since when
    lifecycle     inactive, pending, firing, resolved
    evaluator     Engine: rules x keys
    counters      totals for /metrics and the page
    inhibition    which firing alert mutes which
    routes        labels -> receivers
    notifier      which alerts are told to whom, once
    wording       what a page says
    notification  one message to one receiver
    retries       when a delivery is tried again
    config        a mapping -> Config, every problem with its path
"""
