"""OTLP: spans and log records of calls to Claude -> events.

    wire        the protobuf messages, as far as they are read here
    attributes  attributes as protobuf has them -> Python values; only those that are read
    protobuf    a protobuf body -> spans, records
    jsonform    a JSON body -> spans, records
    span        Span and Record: what both forms come to
    names       which attributes are read, and by which names
    ours        whether a span is a call to Claude
    errors      what a failed span says of its error, without its texts
    calls       a span -> the fields of an event
    records     a log record -> the fields of an event
    twins       spans of one body that are one call
    taking      a body -> a batch, with what each event is known by
    answers     what the sender is told

≠ HTTP, storage.
"""
