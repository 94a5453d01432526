"""backtest: what a configuration would have told people, over a log of events.

≠ HTTP, storage. What is decided is decided by alerts/; the way an event goes here:

    sources     files and pipes, plain, gzip or zstd -> bytes
    ahead       what decompresses runs ahead in a thread
    blocks      bytes -> blocks of whole lines, or of whole items of an array
    decoders    blocks of good events -> events, fast
    reading     blocks -> events, and what was refused, file and line
    merging     the events of many files, by time
    duplicates  event ids seen before
    replaying   events -> alerts and notifications, by one rule set
    outcome     what came out of it
    comparing   what a change of the rules adds, removes and moves
    labelled    a file of windows in which something was known to be wrong
    scoring     precision, recall, detection and reset time
    running     all of it, in order
    progress    a bar on a terminal
    as_json, as_text
"""
