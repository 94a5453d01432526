"""The large tier: partitions of a log elsewhere, each evaluated by itself, and what follows from all of them.

    message     what comes from a partition; who owns it, and where it can be read again
    sifting     messages -> the events that nobody has seen
    again       what an engine was told, told again: after a restart, and to prove it
    shard       one partition: its engine, and one transaction for all that follows from a group of messages
    crew        the shards of one node, and who feeds them
    gathering   the elected node: changes of all partitions, in the order of their instants
    proof       whether everything would be decided the same again

Nothing here knows Kafka, nor who is elected.
"""
