"""Search: finds events again, the failures among them by an index that is sorted in the background.

    wanted     which events somebody asks for
    places     where a search goes on: a cursor that people hand back
    sorting    some thousand failures -> a segment: blocks by key, and which value stands in which
    scanning   the log row by row, for what the index does not hold
    looking    one question: blocks, newest first, until there are enough or the time is over
    indexer    a thread that makes segments of what is new, and of what was there before the index

≠ HTTP. Reads on connections of its own; what it writes goes through the core's thread, a few milliseconds at a time.
"""
