"""What the catalog says of who is told: notifications, what people did, and the watch over all of it.

≠ which alerts there are.
"""

from __future__ import annotations

from .metric import Chapter, Metric, named, one

DELIVERY = Chapter(
    title="Notifications",
    about=(
        "Counted since the process started, where it delivers: sum over the nodes, if there are several. All outcomes "
        "of a configured receiver are there from 0. Labels: the receivers' names and kinds in the configuration, and a "
        "closed set of outcomes."
    ),
    metrics=(
        Metric(
            name="claxon_notifications_total",
            unit="attempts",
            help="Attempts to deliver, by outcome: delivered, or why not (auth_error, gone, client_error, "
            "rate_limited, server_error, timeout, network).",
            labels=("receiver", "kind", "outcome"),
            read=lambda sample: sample.notifications.items(),
        ),
        Metric(
            name="claxon_pages_handed_over_total",
            unit="messages",
            help="Messages with a firing alert that a receiver refused for good and the fallback receiver got instead.",
            labels=("receiver", "kind"),
            read=lambda sample: sample.handed_over.items(),
        ),
        Metric(
            name="claxon_pages_lost_total",
            unit="messages",
            help="Messages with a firing alert that nobody took: there was no fallback receiver, or it refused, too.",
            labels=("receiver", "kind"),
            read=lambda sample: sample.lost.items(),
        ),
        Metric(
            name="claxon_outbox_pending",
            unit="messages",
            help="Notifications that are decided and not delivered yet.",
            read=one(lambda sample: sample.undelivered),
        ),
    ),
)

PEOPLE = Chapter(
    title="People",
    about="What the notifier remembers; it goes on over a restart.",
    metrics=(
        Metric(
            name="claxon_silences",
            unit="silences",
            help="Silences that have not ended: pending (they begin later) or active.",
            labels=("state",),
            read=lambda sample: named(sample.people.silences),
        ),
        Metric(
            name="claxon_notification_groups",
            unit="groups",
            help="Groups of alerts that are told together.",
            read=one(lambda sample: sample.people.groups),
        ),
        Metric(
            name="claxon_acknowledged_alerts",
            unit="alerts",
            help="Alerts that fire and that somebody looks after.",
            read=one(lambda sample: sample.people.acknowledged),
        ),
        Metric(
            name="claxon_escalations_pending",
            unit="alerts",
            help="Alerts that escalate further if nobody acknowledges them.",
            read=one(lambda sample: sample.people.escalations),
        ),
        Metric(
            name="claxon_posted_alerts_firing",
            unit="alerts",
            help="Alerts that fire and that no rule decided: others posted them, or Claxon raised them itself.",
            read=one(lambda sample: sample.people.posted),
        ),
    ),
)

WATCH = Chapter(
    title="Claxon's watch over itself",
    about=(
        "[What is watched, and how to watch it from outside](../howto/who-watches-the-watcher.md). Counted since the "
        "process started. Alert on `claxon_blind`, and on `time() - claxon_heartbeat_last_timestamp_seconds`."
    ),
    metrics=(
        Metric(
            name="claxon_heartbeat_pings_total",
            unit="pings",
            help="Heartbeats by outcome: sent, failed (nobody took it), or withheld (something does not work).",
            labels=("outcome",),
            read=lambda sample: named(sample.watch.pings),
        ),
        Metric(
            name="claxon_heartbeat_last_timestamp_seconds",
            unit="seconds",
            help="When a heartbeat was taken last, in Unix time; 0 before the first.",
            read=one(lambda sample: sample.watch.pinged_at),
        ),
        Metric(
            name="claxon_blind",
            unit="1",
            help="1 while ClaxonBlind fires: events are not taken, evaluated or delivered.",
            read=one(lambda sample: int(sample.watch.blind)),
        ),
        Metric(
            name="claxon_blind_pages_total",
            unit="messages",
            help="Messages of ClaxonBlind, which go past the outbox, by outcome: delivered or failed.",
            labels=("outcome",),
            read=lambda sample: named(sample.watch.blind_pages),
        ),
        Metric(
            name="claxon_integration_failing",
            unit="1",
            help="1 where an integration does not take what it is sent, as ClaxonDeliveryFailing says.",
            labels=("receiver", "kind", "index"),
            read=lambda sample: sample.failing.items(),
        ),
        Metric(
            name="claxon_untold_pages",
            unit="pages",
            help="Pages that fire and that nobody was told of, when that was last looked at.",
            read=one(lambda sample: sample.watch.untold),
        ),
        Metric(
            name="claxon_no_way_out_total",
            unit="messages",
            help="Times that Claxon could tell nobody of a receiver that fails, or of a page that nobody was told of, "
            "for there is no other receiver.",
            read=one(lambda sample: sample.watch.no_way),
        ),
    ),
)
