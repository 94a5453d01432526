"""docs/howto/kubernetes.md: the manifests fit the image and the program, and hold together."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.cli import make_parser
from service.config_file import load_config
from service.settings import keys_from_environment
from tests.support.docs_site import require_docs
from tests.support.repository import ROOT
from tests.support.running import Running

FILE = ROOT / "examples/kubernetes/claxon.yaml"
PAGE = (ROOT / "docs/howto/kubernetes.md").read_text("utf-8")
IMAGE = (ROOT / "Dockerfile").read_text("utf-8")
OBJECTS: dict[str, Any] = {one["kind"]: one for one in yaml.safe_load_all(FILE.read_text("utf-8"))}
SPEC = OBJECTS["StatefulSet"]["spec"]
POD = SPEC["template"]["spec"]
[CONTAINER] = POD["containers"]
NAME = {"app.kubernetes.io/name": "claxon"}

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


@pytest.mark.peer("docs")
@pytest.mark.parametrize("version", ["1.29.0", "1.37.0"])
def test_every_field_is_one_that_kubernetes_knows(version: str) -> None:
    """A misspelt one is dropped by a cluster, perhaps without a word."""
    run = validated(FILE, "-k", version)

    assert (run.returncode, run.stdout.count("passed for resource")) == (0, len(OBJECTS)), run.stdout + run.stderr


@pytest.mark.peer("docs")
def test_a_field_that_kubernetes_does_not_know_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "claxon.yaml"
    wrong.write_text(FILE.read_text("utf-8").replace("readinessProbe:", "readynessProbe:"))

    assert "readynessProbe" in validated(wrong).stdout


def validated(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = require_docs("kubernetes-validate")
    return subprocess.run([program, "--strict", *options, file], capture_output=True, text=True, check=False)


def test_the_parts_find_each_other() -> None:
    mounted = {one["name"] for one in CONTAINER["volumeMounts"]}
    volumes = {one["name"] for one in POD["volumes"]}
    volumes |= {one["metadata"]["name"] for one in SPEC["volumeClaimTemplates"]}
    wanted = {one["valueFrom"]["secretKeyRef"]["key"] for one in CONTAINER["env"]}

    assert OBJECTS["Service"]["spec"]["selector"] == SPEC["selector"]["matchLabels"] == NAME
    assert SPEC["template"]["metadata"]["labels"] == NAME
    assert mounted == volumes
    assert wanted <= OBJECTS["Secret"]["stringData"].keys()
    assert SPEC["replicas"] == 1
    assert SPEC["serviceName"] == OBJECTS["Service"]["metadata"]["name"]


def test_the_pod_is_what_the_image_expects() -> None:
    [user, group] = re.findall(r"^USER (\d+):(\d+)", IMAGE, re.MULTILINE)[0]
    options = make_parser().parse_args(CONTAINER["args"])
    mounts = {one["name"]: one["mountPath"] for one in CONTAINER["volumeMounts"]}

    assert POD["securityContext"]["runAsUser"] == int(user)
    assert POD["securityContext"]["runAsGroup"] == POD["securityContext"]["fsGroup"] == int(group)
    assert str(options.data) == mounts["data"] == re.findall(r'^VOLUME \["(.*)"\]', IMAGE, re.MULTILINE)[0]
    assert options.listen == f"0.0.0.0:{CONTAINER['ports'][0]['containerPort']}"
    assert f"EXPOSE {CONTAINER['ports'][0]['containerPort']}" in IMAGE
    assert str(options.config) == f"{mounts['config']}/{next(iter(OBJECTS['ConfigMap']['data']))}"


def test_the_configuration_loads_with_the_secret_where_it_is_mounted(tmp_path: Path) -> None:
    config = OBJECTS["ConfigMap"]["data"]["claxon.yml"]
    mounted = next(one["mountPath"] for one in CONTAINER["volumeMounts"] if one["name"] == "secrets")
    [secrets] = [one["secret"] for one in POD["volumes"] if one["name"] == "secrets"]
    assert f"{mounted}/" in config
    for item in secrets["items"]:
        (tmp_path / item["path"]).write_text("0123456789abcdef0123456789abcdef")
    (tmp_path / "claxon.yml").write_text(config.replace(mounted, str(tmp_path)))

    assert list(load_config(tmp_path / "claxon.yml").receivers)


def test_the_keys_are_those_that_claxon_reads() -> None:
    environment = {one["name"]: f"{one['name']}-{'0' * 20}" for one in CONTAINER["env"]}

    assert {key.scope for key in keys_from_environment(environment)} == {"admin", "ingest", "read"}


@pytest.mark.parametrize("probe", PROBES)
def test_what_is_probed_is_answered_without_a_key(probe: str, tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        assert claxon.request("GET", CONTAINER[probe]["httpGet"]["path"])[0] == 200


def test_the_pod_monitor_reads_what_is_there() -> None:
    [monitor] = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    secret = endpoint["authorization"]["credentials"]

    assert monitor["spec"]["selector"]["matchLabels"] == NAME
    assert endpoint["port"] == CONTAINER["ports"][0]["name"]
    assert secret["name"] == OBJECTS["Secret"]["metadata"]["name"]
    assert secret["key"] in OBJECTS["Secret"]["stringData"]
