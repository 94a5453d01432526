"""What API v2 lists, finds and refuses."""

from __future__ import annotations

import json

from ..timetable import Ask, Expire, Look, Timetable, ends, fires, route, silence

RULE = {"source_matchers": ["alertname=cause"], "target_matchers": ["alertname=symptom"], "equal": ["app"]}
OWN = "filter={tt}"
TWICE = [{"receiver": "mail", "matchers": ["app=x"], "continue": True}, {"matchers": ["alertname=~.+"]}]
UNKNOWN = "/api/v2/silence/11111111-2222-3333-4444-555555555555"


def silenced(**changes: object) -> str:
    """Return the body of a silence that is right but for some fields; None takes one out."""
    right = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "2090-01-01T00:00:00Z",
        "endsAt": "2090-01-01T01:00:00Z",
        "createdBy": "ada",
        "comment": "a test",
    }
    return json.dumps({name: value for name, value in {**right, **changes}.items() if value is not None})


API = (
    Timetable(
        name="api-alerts",
        shows="alerts are listed with their state, and chosen by matchers, state and receiver",
        inhibit_rules=(RULE,),
        receivers={"page": ({},), "mail": ({},)},
        route=route(routes=TWICE),
        steps=(
            silence(0, ("alertname", "=", "quiet")),
            fires(
                0.2,
                "cause app=x",
                "symptom app=x",
                "quiet app=y",
                "plain",
                notes={"what": "w"},
                generator="http://g.example/",
            ),
            fires(0.2, "short app=z", ends=3),
            Look(2, f"alerts?{OWN}"),
            Look(2, f"alerts?{OWN}&silenced=false"),
            Look(2, f"alerts?{OWN}&inhibited=false"),
            Look(2, f"alerts?{OWN}&active=false"),
            Look(2, f"alerts?{OWN}&active=false&inhibited=false"),
            Look(2, f"alerts?{OWN}&receiver=api-alerts-mail"),
            Look(2, f"alerts?{OWN}&receiver=.*-ma"),
            Look(2, f"alerts?{OWN}&receiver=.*-(mail|page)"),
            Look(2, f"alerts?{OWN}&filter=app%3D%22x%22"),
            Look(2, f"alerts?{OWN}&filter=app%3Dx"),
            Look(2, f"alerts?{OWN}&filter=app%3D~%22x%7Cy%22&filter=alertname!%3Dcause"),
            Look(2, f"alerts?{OWN}&filter=app!~%22x%7Cy%22"),
            Look(2, f"alerts?{OWN}&filter=app%3D%22%22"),
            Look(2, f"alerts?{OWN}&filter=app!%3D%22%22"),
            ends(4, "cause app=x"),
            Look(5.9, f"alerts?{OWN}"),
        ),
        seconds=6,
        told=(
            "1.2 mail: +cause app=x",
            "1.2 page: +cause app=x",
            "1.2 page: +plain",
            "1.2 page: +short app=z",
            "3.2 page: -short app=z",
            "5.2 mail: -cause app=x",
            "5.2 mail: +symptom app=x",
            "5.2 page: -cause app=x",
            "5.2 page: +symptom app=x",
        ),
    ),
    Timetable(
        name="api-groups",
        shows="groups are listed with their labels, receiver and alerts, and chosen as alerts are",
        receivers={"page": ({},), "mail": ({},)},
        route=route(group_by=["app"], routes=TWICE),
        steps=(
            silence(0, ("alertname", "=", "quiet")),
            fires(0.2, "a app=x", "b app=x", "quiet app=x", "quiet app=y", "plain"),
            Look(2, f"alerts/groups?{OWN}"),
            Look(2, f"alerts/groups?{OWN}&silenced=false"),
            Look(2, f"alerts/groups?{OWN}&active=false"),
            Look(2, f"alerts/groups?{OWN}&receiver=api-groups-mail"),
            Look(2, f"alerts/groups?{OWN}&filter=alertname%3Da"),
        ),
        seconds=3,
        told=("1.2 mail: +a app=x +b app=x", "1.2 page: +a app=x +b app=x", "1.2 page: +plain"),
    ),
    Timetable(
        name="api-silences",
        shows="silences are listed with their state, and found by id, matchers and state",
        steps=(
            silence(0, ("alertname", "=", "a"), name="active"),
            silence(0, ("alertname", "=~", "b.*"), ("x", "!=", "1"), name="pending", since=60),
            silence(0, ("x", "!~", "c"), name="gone"),
            Expire(1, "gone"),
            Look(1.2, f"silences?{OWN}"),
            Look(1.2, f"silences?{OWN}&filter=alertname%3Da"),
            Look(1.2, f"silences?{OWN}&filter=alertname%3D%22b.*%22"),
            Look(1.2, f"silences?{OWN}&filter=x!%3D1"),
            Look(1.2, f"silences?{OWN}&filter=none%3D1"),
            Look(1.2, "silence/{active}"),
            Look(1.2, "silence/{gone}"),
            Expire(1.5, "active"),
            Expire(1.7, "active"),
            Expire(1.7, "pending"),
            Look(2, f"silences?{OWN}"),
        ),
        seconds=2.5,
        told=(),
    ),
    Timetable(
        name="api-refusals",
        shows="what makes no sense is refused, and with Alertmanager's status",
        steps=(
            Ask(0, "POST", "/api/v2/alerts", "no JSON"),
            Ask(0, "POST", "/api/v2/alerts", "{}"),
            Ask(0, "POST", "/api/v2/alerts", '[{"annotations": {}}]'),
            Ask(0, "POST", "/api/v2/alerts", '[{"labels": {"alertname": 1}}]'),
            Ask(0, "POST", "/api/v2/alerts", '[{"labels": {"alertname": "a"}, "startsAt": "yesterday"}]'),
            Ask(0, "POST", "/api/v2/alerts", '[{"labels": {"alertname": "a"}, "generatorURL": "no url"}]'),
            Ask(0, "POST", "/api/v2/alerts", "[]"),
            Ask(0, "GET", "/api/v2/alerts?filter=~"),
            Ask(0, "GET", "/api/v2/alerts?filter=a%3D~%22(%22"),
            Ask(0, "GET", "/api/v2/alerts?receiver=("),
            Ask(0, "GET", "/api/v2/alerts?silenced=perhaps"),
            Ask(0, "GET", "/api/v2/alerts/groups?filter=~"),
            Ask(0, "GET", "/api/v2/silences?filter=~"),
            Ask(0, "POST", "/api/v2/silences", "no JSON"),
            Ask(0, "POST", "/api/v2/silences", silenced(matchers=[])),
            Ask(0, "POST", "/api/v2/silences", silenced(matchers=None)),
            Ask(0, "POST", "/api/v2/silences", silenced(comment=None)),
            Ask(0, "POST", "/api/v2/silences", silenced(createdBy=None)),
            Ask(0, "POST", "/api/v2/silences", silenced(matchers=[{"name": "a", "value": "(", "isRegex": True}])),
            Ask(0, "POST", "/api/v2/silences", silenced(matchers=[{"name": "a", "value": "", "isRegex": False}])),
            Ask(0, "POST", "/api/v2/silences", silenced(matchers=[{"name": "a", "value": ".*", "isRegex": True}])),
            Ask(0, "POST", "/api/v2/silences", silenced(startsAt="2090-01-01T02:00:00Z")),
            Ask(0, "POST", "/api/v2/silences", silenced(endsAt="2020-01-02T00:00:00Z")),
            Ask(0, "POST", "/api/v2/silences", silenced(id="11111111-2222-3333-4444-555555555555")),
            Ask(0, "GET", UNKNOWN),
            Ask(0, "GET", "/api/v2/silence/none"),
            Ask(0, "DELETE", "/api/v2/silence/none"),
            Ask(0, "GET", "/api/v2/nothing"),
            Ask(0, "DELETE", "/api/v2/alerts"),
        ),
        seconds=2,
        told=(),
        answers=(
            *(400, 400, 422, 400, 400, 422, 200),
            *(400, 400, 400, 200, 400, 400),
            *(400, 422, 422, 422, 422, 400, 400, 400, 400, 400, 404),
            *(404, 422, 422, 404, 405),
        ),
    ),
    Timetable(
        name="api-unknown-silence",
        shows="a silence that is not there cannot be expired: 404",
        steps=(Ask(0, "DELETE", UNKNOWN),),
        seconds=1,
        told=(),
        answers=(500,),
        claxon=(),
        claxon_answers=(404,),
        newer="0.25 answers 500",
    ),
)
