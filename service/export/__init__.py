"""Export: the log -> a file, while a service writes it or not.

    rows         the batches of the log, a few megabytes at a time
    columns      what a table of events has, and how each is read from an event
    parquet      the table as a Parquet file; needs pyarrow
    ndjson       one JSON object a line, plain or zstd
    destination  a file that is there as a whole or not at all
    running      all of it together

≠ the command line.
"""
