"""Routes, matchers and patterns mean what they mean to Alertmanager: asked of the real one."""

from __future__ import annotations

import json
import random
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.config import parse_config
from alerts.matchers import make_matcher
from alerts.patterns import PatternError, compile_pattern
from alerts.routes import Route
from service.config_file import ConfigFileError, load_config
from tests.support import peers
from tests.support.pager import Pager
from tests.support.random_routes import PATTERNS, VALUES, random_file, random_labels

pytestmark = pytest.mark.peer("alertmanager")

TREES, ALERTS = 60, 5


@pytest.fixture
def amtool() -> Path:
    return peers.require("alertmanager").with_name("amtool")


def write(folder: Path, file: Any) -> Path:
    path = folder / "routes.yml"
    path.write_text(yaml.safe_dump(file, allow_unicode=True))
    return path


def accepted(amtool: Path, path: Path) -> bool:
    return subprocess.run([amtool, "check-config", path], capture_output=True, check=False).returncode == 0


def told(amtool: Path, path: Path, labels: dict[str, str]) -> list[str]:
    """Return the receivers that amtool names, in order, some of them twice."""
    arguments = [str(make_matcher(name, "=", value)) for name, value in labels.items()]
    command = [amtool, "config", "routes", "test", f"--config.file={path}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split(",")


def route_of(path: Path) -> Route:
    return load_config(path, build_receivers=False).config.route


@pytest.mark.parametrize("seed", range(3))
def test_an_alert_goes_where_alertmanager_sends_it(amtool: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    differences: list[object] = []
    compared = 0
    for _ in range(TREES):
        path = write(tmp_path, random_file(chance))
        try:
            route = route_of(path)
        except ConfigFileError as fault:
            # Of Unicode classes Claxon says that it does not know them.
            if "Unicode classes" not in str(fault) and accepted(amtool, path):
                differences.append(str(fault))
            continue
        if not accepted(amtool, path):
            differences.append(path.read_text())
            continue
        for _ in range(ALERTS):
            labels = random_labels(chance)
            ours, theirs = [m.route.receiver for m in route.matches(labels)], told(amtool, path, labels)
            compared += 1
            if ours != theirs:
                differences.append((ours, theirs, labels, path.read_text()))

    assert differences == []
    assert compared > TREES


def test_a_pattern_matches_what_it_matches_for_alertmanager(amtool: Path, tmp_path: Path) -> None:
    """Every pattern against every value, in one tree: a route for each pattern, all of them asked."""
    patterns = [pattern for pattern in PATTERNS[:-2] if "pL" not in pattern]
    routes = [
        {"match_re": {"app": pattern}, "receiver": str(i), "continue": True} for i, pattern in enumerate(patterns)
    ]
    names = ["none", *map(str, range(len(patterns)))]
    path = write(
        tmp_path,
        {"route": {"receiver": "none", "routes": routes}, "receivers": [{"name": name} for name in names]},
    )

    for value in (*VALUES, "chat11", "a\n", "\n", "chat1{,2}", "PAGE", "pAGE", "Page", "c\u212aat", "cé"):
        ours = [str(i) for i, pattern in enumerate(patterns) if compile_pattern(pattern).matches(value)]
        assert (ours or ["none"]) == told(amtool, path, {"app": value}), value


@pytest.mark.parametrize(
    "pattern",
    ["a**", "a{1001}", r"\1", r"\Z", "(?=a)", "(?<=a)b", "(?x)a", "(?>a)", "a)", "[b-a]", r"[\b]", "(?P=n)", "[[:x:]]"],
)
def test_what_alertmanager_refuses_as_a_pattern_is_refused(amtool: Path, tmp_path: Path, pattern: str) -> None:
    route = {"receiver": "x", "routes": [{"match_re": {"app": pattern}}]}
    path = write(tmp_path, {"route": route, "receivers": [{"name": "x"}]})

    assert not accepted(amtool, path)
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("seed", range(3))
def test_the_key_of_a_route_is_alertmanagers(tmp_path: Path, seed: int) -> None:
    """Its webhooks say the key of the group: that of the route, a colon, and the labels of the group."""
    chance = random.Random(seed)
    with Pager() as pager:
        file, alerts, expected = grouped(chance, pager.url)
        with peers.start_alertmanager(yaml.safe_dump(file, allow_unicode=True), tmp_path) as running:
            post(running.url, [{"labels": labels} for labels in alerts])
            received = pager.wait_for(len(expected), within=20)

    keys = {(one.json["groupKey"].rpartition(":{")[0], one.json["groupLabels"]["n"]) for one in received}
    assert keys == expected


def grouped(chance: random.Random, url: str) -> tuple[dict[str, Any], list[dict[str, str]], set[tuple[str, str]]]:
    """Return a file that tells of each alert at once, alerts, and (key, number) of each group, four keys at least.

    No two groups have the same key: Alertmanager would tell of one of them.
    """
    while True:
        file = random_file(chance, receivers=1)
        file["route"] |= {"group_by": ["..."], "group_wait": "0s"}
        file["receivers"] = [{"name": "r0", "webhook_configs": [{"url": url}]}]
        config, problems = parse_config(file, ("webhook_configs",))
        alerts = [labels | {"n": str(i)} for i in range(20) if (labels := random_labels(chance))]
        there = [{name: value for name, value in labels.items() if value} for labels in alerts]
        groups = [(m.key, labels["n"]) for labels in there for m in config.route.matches(labels)]
        expected = set(groups)
        if not problems and len(groups) == len(expected) and len({key for key, _ in expected}) > 3:
            return file, alerts, expected


def post(url: str, alerts: list[dict[str, Any]]) -> None:
    body = json.dumps(alerts).encode()
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        assert answer.status == 200
