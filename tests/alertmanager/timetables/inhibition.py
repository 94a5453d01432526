"""Alerts that mute others."""

from __future__ import annotations

from ..timetable import Look, Timetable, ends, fires, route, silence

RULE = {"source_matchers": ["alertname=cause"], "target_matchers": ["alertname=symptom"], "equal": ["app"]}

INHIBITION = (
    Timetable(
        name="source-first",
        shows="a target that begins while its source fires is not told",
        inhibit_rules=(RULE,),
        steps=(fires(0, "cause app=x"), fires(2, "symptom app=x", "symptom app=y"), Look(4, "alerts?filter={tt}")),
        seconds=6,
        told=("1 page: +cause app=x", "3 page: +symptom app=y"),
    ),
    Timetable(
        name="both-at-once",
        shows="a source that comes with its target mutes it",
        inhibit_rules=(RULE,),
        steps=(fires(0, "symptom app=x", "cause app=x"),),
        seconds=4,
        told=("1 page: +cause app=x",),
    ),
    Timetable(
        name="source-within-group-wait",
        shows="a source that comes within the target's group_wait mutes it",
        inhibit_rules=(RULE,),
        steps=(fires(0, "symptom app=x"), fires(0.3, "cause app=x")),
        seconds=4,
        told=("1.3 page: +cause app=x",),
    ),
    Timetable(
        name="source-ends",
        shows="a target is told at the next look after its source ended",
        inhibit_rules=(RULE,),
        steps=(fires(0, "cause app=x", "symptom app=x"), ends(2, "cause app=x")),
        seconds=6,
        told=("1 page: +cause app=x", "3 page: -cause app=x", "3 page: +symptom app=x"),
    ),
    Timetable(
        name="source-times-out",
        shows="a source whose endsAt passes mutes no longer",
        inhibit_rules=(RULE,),
        steps=(fires(0, "cause app=x", ends=4), fires(0, "symptom app=x")),
        seconds=7,
        told=("1 page: +cause app=x", "5 page: -cause app=x", "5 page: +symptom app=x"),
    ),
    Timetable(
        name="muted-target-ends",
        shows="a target that began and ended while muted is never told",
        inhibit_rules=(RULE,),
        steps=(fires(0, "cause app=x", "symptom app=x"), ends(2, "symptom app=x"), ends(4, "cause app=x")),
        seconds=8,
        told=("1 page: +cause app=x", "5 page: -cause app=x"),
    ),
    Timetable(
        name="muted-target-ends-in-a-told-group",
        shows="an alert that began and ended while muted is not told with the others of its group",
        inhibit_rules=(RULE,),
        route=route(group_by=[]),
        steps=(fires(0, "cause app=x", "symptom app=x", "other"), ends(2, "symptom app=x"), ends(4, "other")),
        seconds=8,
        told=("1 page: +other +cause app=x", "5 page: -other +cause app=x"),
    ),
    Timetable(
        name="told-target-ends-while-inhibited",
        shows="the end of an alert that was told is told, inhibited meanwhile or not",
        inhibit_rules=(RULE,),
        steps=(fires(0, "symptom app=x"), fires(2, "cause app=x"), ends(4, "symptom app=x")),
        seconds=8,
        told=("1 page: +symptom app=x", "3 page: +cause app=x"),
        claxon=("1 page: +symptom app=x", "3 page: +cause app=x", "5 page: -symptom app=x"),
        improvement="Alertmanager never closes that page",
    ),
    Timetable(
        name="told-target-stays-while-inhibited",
        shows="an alert that was told and is then inhibited stays in the messages of its group as firing",
        inhibit_rules=(RULE,),
        route=route(group_by=["kind"]),
        steps=(
            fires(0, "symptom app=x kind=s", "other app=x kind=s"),
            fires(2, "cause app=x kind=c"),
            ends(4, "other app=x kind=s"),
        ),
        seconds=8,
        told=(
            "1 page: +other app=x kind=s +symptom app=x kind=s",
            "3 page: +cause app=x kind=c",
            "5 page: -other app=x kind=s",
        ),
        claxon=(
            "1 page: +other app=x kind=s +symptom app=x kind=s",
            "3 page: +cause app=x kind=c",
            "5 page: -other app=x kind=s +symptom app=x kind=s",
        ),
        improvement="Alertmanager's message has only resolved alerts: it closes a page that burns",
    ),
    Timetable(
        name="equal-absent",
        shows="a label of `equal` that is absent on both sides, or empty, is equal",
        inhibit_rules=({**RULE, "equal": ["app", "zone"]},),
        steps=(
            fires(
                0,
                "cause app=x",
                "symptom app=x",
                {"alertname": "symptom", "app": "x", "zone": ""},
                "symptom app=x zone=1",
            ),
        ),
        seconds=4,
        told=("1 page: +cause app=x", "1 page: +symptom app=x zone=1"),
    ),
    Timetable(
        name="never-by-itself",
        shows="an alert that matches both sides mutes neither itself nor its like",
        inhibit_rules=({"source_matchers": ["app=~.+"], "target_matchers": ["alertname=symptom"], "equal": ["app"]},),
        steps=(fires(0, "symptom app=x", "symptom app=x n=2"),),
        seconds=4,
        told=("1 page: +symptom app=x +symptom app=x n=2",),
    ),
    Timetable(
        name="both-sides-muted-by-a-source",
        shows="an alert that matches both sides is muted by one that is only a source",
        inhibit_rules=({"source_matchers": ["app=~.+"], "target_matchers": ["alertname=symptom"], "equal": ["app"]},),
        steps=(fires(0, "symptom app=x", "symptom app=y", "cause app=x"),),
        seconds=4,
        told=("1 page: +cause app=x", "1 page: +symptom app=y"),
    ),
    Timetable(
        name="without-equal",
        shows="a rule without `equal` mutes every target",
        inhibit_rules=({"source_matchers": ["alertname=cause"], "target_matchers": ["alertname!=cause"]},),
        steps=(fires(0, "cause app=x", "symptom app=y", "symptom"),),
        seconds=4,
        told=("1 page: +cause app=x",),
    ),
    Timetable(
        name="old-inhibit-rules",
        shows="source_match, target_match and their _re mean what they meant",
        inhibit_rules=(
            {"source_match": {"alertname": "cause"}, "target_match_re": {"alertname": "sym.*"}, "equal": ["app"]},
            {"source_match_re": {"alertname": "ca.*"}, "target_match": {"alertname": "other"}, "equal": ["app"]},
        ),
        steps=(fires(0, "cause app=x", "symptom app=x", "other app=x", "other app=y"),),
        seconds=4,
        told=("1 page: +cause app=x", "1 page: +other app=y"),
    ),
    Timetable(
        name="silenced-source",
        shows="a source that is silenced mutes its target none the less",
        inhibit_rules=(RULE,),
        steps=(
            silence(0, ("alertname", "=", "cause")),
            fires(0.2, "cause app=x", "symptom app=x"),
            Look(2, "alerts?filter={tt}"),
        ),
        seconds=4,
        told=(),
    ),
)
