"""The domain: events in, decisions out. Pure: no I/O, no clock, no randomness, no logging, no async.

Time is an argument everywhere (`now`, `g`), in Unix seconds; durations are seconds.
docs/reference/decisions.md says exactly what is decided; the map of this folder:

    what is counted
      windows       counts of one key over one rolling window
      meters        what is counted together, and the counts of one key
      streaks       consecutive failures, in event time
      parked        calls that sleep because of a long retry-after
      headroom      what is left of rate limits, and for how long
      end_of_life   when a model is gone
      steadiness    whether a key called steadily before it fell silent
      counters      totals for /metrics and the page
      evidence      what a page shows: request ids, error types, since when
      provisional   failures that a later attempt may take back

    what it means
      error_rate    the literal share, and the Wilson bound that asks "or by chance?"
      budgets       error budget and burn rate
      conditions    when a rule fires: one record for each kind
      rules         the typed, validated form of a rule; rule_checks, rule_matches, rule_oddities: what could never fire
      rule_form     a mapping -> rules, and back; rule_kinds, rule_values, rule_bounds: its parts
      default_rules the rules Claxon ships; own_rules: what it says of itself
      watches       what one rule knows of one key, and what its condition says
      outlook       when that may change next
      lifecycle     inactive, pending, firing, resolved
      near_misses   why it did not fire

    the engine
      evaluator     Engine: rules x keys
      hearing       what an event says beside what is counted of it
      counting      events -> windows, runs, evidence; feeds: where, with all at hand
      keyring       everything that is looked up by key, bounded
      agenda        what is looked at, and when
      decisions     one row of the ledger, and the chain; ledger: collects them
      engine_state  all that is remembered; rewinding: after the clock was set back

    who is told
      notifier      the way in: transitions, posts, what people ask, time -> notifications; policy: by what
      notifier_state what is remembered; parts: which rows of it have changed; timers: what is due
      desk          what is said of an alert, and what holds it back
      alone         an alert by itself; incidents: symptoms that are one page; storms: what comes too fast
      groups        alerts that are told together; label_order: in which order
      posts         alerts that others post; received: one of them, merged and timed out
      silence_book  silences and their history; silences: one of them
      escalations   who is told when nobody looks after it
      inhibition    which firing alert mutes which
      routes        labels -> receivers; routing: why; time_intervals: when not
      overview      what stands, for who asks
      notification  one message to one receiver; merging: several as one
      wording       what a page says; measured, values: its numbers; templates: annotations
      retries       when a delivery is tried again

    scenarios/      unit tests of rules
    config          a mapping -> Config, every problem with its path; problems: one of them
      config_records what a configuration is; config_reading: how a mapping is read strictly
      config_routes, config_intervals, config_receivers, config_own: its parts; config_notes: what is odd
    matchers        conditions on labels
      patterns      regular expressions as RE2 reads them; automata: those that could take for ever
    durations, offsets, labels, errors
"""
