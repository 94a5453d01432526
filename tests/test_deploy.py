"""deploy/: the nodes of a tier fit image and program, hold together, and are what Compose and Kubernetes know."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.cli import make_parser
from service.config_file import load_config
from service.placing import data_place, read_storage
from service.roles import Role, parse_roles
from service.settings import keys_from_environment
from service.storage.places import PostgresUrl
from tests.support.docs_site import require_docs
from tests.support.repository import ROOT

DEPLOY = ROOT / "deploy"
COMPOSED = ("compose.yaml", "deploy/compose/postgres.yaml", "deploy/compose/kafka.yaml")
MANIFESTS = ("deploy/kubernetes/migrate.yaml", "deploy/kubernetes/nodes.yaml")
IMAGE = (ROOT / "Dockerfile").read_text("utf-8")
ROLES = [role.value for role in Role]
NGINX = (DEPLOY / "nginx/nginx.conf").read_text("utf-8")


def composed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / name).read_text("utf-8"))
    return found


POSTGRES, KAFKA = composed("postgres.yaml"), composed("kafka.yaml")
NODES = {name: one for name, one in POSTGRES["services"].items() if name.rpartition("-")[0] in ROLES}
OBJECTS: dict[tuple[str, str], Any] = {
    (one["kind"], one["metadata"]["name"]): one
    for file in MANIFESTS
    for one in yaml.safe_load_all((ROOT / file).read_text("utf-8"))
}


def pod(role: str) -> dict[str, Any]:
    found: dict[str, Any] = OBJECTS["Deployment", f"claxon-{role}"]["spec"]["template"]["spec"]
    return found


def upstreams(where: str) -> dict[str, list[str]]:
    """Return the servers of each upstream of a file."""
    text = (DEPLOY / f"nginx/upstreams.{where}.conf").read_text("utf-8")
    blocks = re.findall(r"^upstream (\w+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    return {name: re.findall(r"^\s+server (\S+) ", block, re.MULTILINE) for name, block in blocks}


# ── Compose ───────────────────────────────────────────────────────────────────


@pytest.mark.peer("docs")
@pytest.mark.parametrize("file", COMPOSED)
def test_every_field_is_one_that_compose_knows(file: str) -> None:
    run = held_to_compose(ROOT / file)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.peer("docs")
def test_a_field_that_compose_does_not_know_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / COMPOSED[1]).read_text("utf-8").replace("stop_grace_period", "stop_grace_perriod"))

    assert "stop_grace_perriod" in held_to_compose(wrong).stdout


def held_to_compose(file: Path) -> subprocess.CompletedProcess[str]:
    program = require_docs("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_role_is_composed_twice() -> None:
    roles = [node["environment"]["CLAXON_ROLE"] for node in NODES.values()]

    assert sorted(roles) == sorted(ROLES * 2)
    for name, node in NODES.items():
        assert parse_roles(node["environment"]["CLAXON_ROLE"]) == {Role(name.rpartition("-")[0])}
        assert node["environment"]["CLAXON_ADVERTISE"] == f"http://{name}:5290"


@pytest.mark.parametrize("name", [*NODES, "migrate"])
def test_a_composed_node_starts_as_the_program_reads_it(name: str) -> None:
    node = POSTGRES["services"][name]
    environment = node["environment"]
    options = make_parser().parse_args(node["command"])
    place = data_place(options.data, environment)

    assert isinstance(place, PostgresUrl)
    assert {key.scope for key in keys_from_environment(environment)} == {"admin"}
    assert node["image"] == f"claxon:{version()}"
    assert (node["read_only"], node["cap_drop"]) == (True, ["ALL"])
    if name != "migrate":
        assert options.listen == "0.0.0.0:5290"
        assert node["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_what_is_added_before_the_nodes_start_is_pre() -> None:
    migrate = POSTGRES["services"]["migrate"]
    options = make_parser().parse_args(migrate["command"])

    assert (options.pre, options.post, options.status) == (True, False, False)
    assert migrate["restart"] == "no"


def test_nginx_alone_is_reached_and_from_this_machine_alone() -> None:
    ports = {name: one["ports"] for name, one in POSTGRES["services"].items() if "ports" in one}

    assert ports == {"nginx": ["127.0.0.1:5290:8080"]}
    assert [one for one in KAFKA["services"].values() if "ports" in one] == []


def test_nginx_knows_the_composed_nodes() -> None:
    assert upstreams("compose") == {
        f"claxon_{role}": [f"{name}:5290" for name in NODES if name.startswith(role)] for role in ("ingest", "evaluate")
    }


def test_the_password_is_asked_for_and_nowhere_written() -> None:
    text = (DEPLOY / "compose/postgres.yaml").read_text("utf-8")

    for variable in ("CLAXON_ADMIN_KEY", "POSTGRES_PASSWORD"):
        assert re.search(rf"\$\{{{variable}:\?.*openssl rand", text)


def test_the_large_tier_adds_three_brokers_and_the_topic() -> None:
    brokers = {name: one for name, one in KAFKA["services"].items() if name.startswith("kafka-")}
    others = KAFKA["services"].keys() - brokers.keys()
    urls = {KAFKA["services"][name]["environment"]["CLAXON_LOG"] for name in others}

    assert others == {name for name in NODES if not name.startswith("deliver")}
    assert [one["environment"]["KAFKA_NODE_ID"] for one in brokers.values()] == [1, 2, 3]
    assert urls == {f"kafka://{','.join(f'{name}:9092' for name in brokers)}/claxon-events"}
    for name, one in brokers.items():
        settings = one["environment"]
        assert settings["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{name}:9092"
        assert (settings["KAFKA_DEFAULT_REPLICATION_FACTOR"], settings["KAFKA_MIN_INSYNC_REPLICAS"]) == (3, 2)
        assert settings["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")[settings["KAFKA_NODE_ID"] - 1] == (
            f"{settings['KAFKA_NODE_ID']}@{name}:9093"
        )


# ── Kubernetes ────────────────────────────────────────────────────────────────


@pytest.mark.peer("docs")
@pytest.mark.parametrize("version", ["1.29.0", "1.37.0"])
def test_every_field_is_one_that_kubernetes_knows(version: str) -> None:
    program = require_docs("kubernetes-validate")
    command = [program, "--strict", "-k", version, *(ROOT / file for file in MANIFESTS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout.count("passed for resource")) == (0, len(OBJECTS)), run.stdout + run.stderr


@pytest.mark.parametrize("role", ROLES)
def test_the_pod_of_a_role_is_what_image_and_program_expect(role: str) -> None:
    [user, group] = re.findall(r"^USER (\d+):(\d+)", IMAGE, re.MULTILINE)[0]
    [container] = pod(role)["containers"]
    options = make_parser().parse_args(container["args"])
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}

    assert container["image"].endswith(f"/claxon:{version()}")
    assert pod(role)["securityContext"]["runAsUser"] == int(user)
    assert pod(role)["securityContext"]["fsGroup"] == int(group)
    assert parse_roles(options.role) == {Role(role)}
    assert options.listen == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    assert str(options.config) == f"{mounts['config']}/claxon.yml"
    assert mounts.keys() == {one["name"] for one in pod(role)["volumes"]}
    assert container["livenessProbe"]["httpGet"]["path"] == "/-/healthy"
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/ready"


@pytest.mark.parametrize("role", [*ROLES, "front"])
def test_a_role_has_two_pods_that_go_one_by_one(role: str) -> None:
    deployment, budget = OBJECTS["Deployment", f"claxon-{role}"], OBJECTS["PodDisruptionBudget", f"claxon-{role}"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["spec"]["maxUnavailable"] == 1
    assert deployment["spec"]["selector"]["matchLabels"] == budget["spec"]["selector"]["matchLabels"] == labels
    assert labels["app.kubernetes.io/component"] == role
    assert pod(role)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == labels
    [container] = pod(role)["containers"]
    assert "preStop" in container["lifecycle"]
    assert pod(role)["terminationGracePeriodSeconds"] >= 45


def test_services_find_their_pods() -> None:
    for (kind, name), one in OBJECTS.items():
        if kind == "Service":
            selector = one["spec"]["selector"]
            found = OBJECTS["Deployment", f"claxon-{selector['app.kubernetes.io/component']}"]
            assert selector == found["spec"]["template"]["metadata"]["labels"], name
    assert OBJECTS["Service", "claxon-evaluate"]["spec"]["clusterIP"] == "None"


def test_what_pods_mount_is_there() -> None:
    secret = OBJECTS["Secret", "claxon"]["stringData"]
    for role in ROLES:
        [container] = pod(role)["containers"]
        wanted = {e["valueFrom"]["secretKeyRef"]["key"] for e in container["env"] if "secretKeyRef" in str(e)}
        [mounted] = [one["secret"]["items"] for one in pod(role)["volumes"] if one["name"] == "secrets"]
        assert wanted | {item["key"] for item in mounted} == secret.keys()


def test_the_configuration_says_where_the_database_is(tmp_path: Path) -> None:
    config = OBJECTS["ConfigMap", "claxon"]["data"]["claxon.yml"]
    secret = OBJECTS["Secret", "claxon"]["stringData"]
    for name in ("database-url", "pagerduty-key"):
        assert f"/run/secrets/claxon/{name}" in config
        (tmp_path / name).write_text(secret[name] if name == "database-url" else "0123456789abcdef0123456789abcdef")
    file = tmp_path / "claxon.yml"
    file.write_text(config.replace("/run/secrets/claxon", str(tmp_path)))

    assert list(load_config(file).receivers)
    assert isinstance(data_place(None, {}, read_storage(file)), PostgresUrl)


def test_the_job_adds_what_this_version_needs() -> None:
    job = OBJECTS["Job", f"claxon-migrate-{version().replace('.', '-')}"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    options = make_parser().parse_args(container["args"])

    assert (options.pre, options.post, options.status) == (True, False, False)
    assert container["image"] == pod("evaluate")["containers"][0]["image"]


def test_the_front_has_the_files_of_nginx() -> None:
    data = OBJECTS["ConfigMap", "claxon-front"]["data"]

    assert data["nginx.conf"] == NGINX
    assert data["upstreams.conf"] == (DEPLOY / "nginx/upstreams.kubernetes.conf").read_text("utf-8")
    assert pod("front")["containers"][0]["image"] == POSTGRES["services"]["nginx"]["image"]
    names = {name.partition(".")[0] for servers in upstreams("kubernetes").values() for name in servers}
    assert names <= {name for kind, name in OBJECTS if kind == "Service"}


def version() -> str:
    [found] = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    return str(found)
