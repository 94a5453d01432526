"""The I/O around `alerts`. Every decision made here is one call into it.

cli           serve, demo, check, and those of commands/
settings      command line and environment -> Settings
config_file   YAML -> Config, problems with file and line
app           composition root: builds every part, starts and stops them
clock         the one reader of the wall clock
decoding      bytes -> events, refusals one by one
core          the one thread that writes and evaluates, in order
delivery/     outbox -> receivers
scheduler     APScheduler: ticks, snapshots, pruning
metrics       every claxon_* metric
keys/         who may what; audit: who changed what; tls: the certificate
api/          HTTP; storage/ SQLite, PostgreSQL; receivers/ webhook, PagerDuty, Slack, console
nodes/        several on one database: one is elected, and the others stand by
"""

__version__ = "0.1.0"
