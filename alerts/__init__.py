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
      rule_form     a mapping -> rules, and back; rule_kinds, rule_values: its parts
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
      inhibition    which firing alert mutes which
      incidents     symptoms that overlap are one page
      routes        labels -> receivers
      notifier      which alerts are told to whom, once
      notification  one message to one receiver
      wording       what a page says; measured, values: its numbers; templates: annotations
      retries       when a delivery is tried again

    scenarios/      unit tests of rules
    config          a mapping -> Config, every problem with its path; problems: one of them
    durations, offsets, labels, matchers, errors
"""
