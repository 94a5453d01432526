"""What the image and the composed services promise."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from service import __version__
from tests.support.repository import ROOT


def stages() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's stages, each a list of (instruction, argument)."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found: list[list[tuple[str, str]]] = []
    for line in text.replace("\\\n", " ").splitlines():
        name, _, argument = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name:
            found[-1].append((name, " ".join(argument.split())))
    return found


def test_the_image_runs_the_service_as_nobody_in_particular() -> None:
    final = dict(stages()[-1])

    uid, gid = final["USER"].split(":")
    assert min(int(uid), int(gid)) > 0
    assert json.loads(final["ENTRYPOINT"]) == ["claxon"]
    assert json.loads(final["CMD"]) == ["serve", "--listen", "0.0.0.0:5290"]
    assert "CLAXON_DATA_DEFAULT=/data" in final["ENV"].split()
    assert (final["EXPOSE"], final["STOPSIGNAL"], final["WORKDIR"]) == ("5290", "SIGTERM", "/data")
    assert json.loads(final["VOLUME"]) == ["/data"]


def test_the_images_health_is_asked_of_python() -> None:
    """The base has no curl, and its python asks without a proxy in between."""
    command = json.loads(dict(stages()[-1])["HEALTHCHECK"].partition("CMD ")[2])

    assert command[:2] == ["python", "-c"]
    assert "'127.0.0.1', 5290" in command[2]
    assert "'/-/healthy'" in command[2]
    assert compose()["services"]["claxon"]["healthcheck"]["test"] == ["CMD", *command]


def test_the_last_stage_fetches_nothing() -> None:
    commands = [argument for name, argument in stages()[-1] if name == "RUN"]

    assert [c for c in commands if re.search(r"\b(pip|apt|apt-get|curl|wget|git)\b", c)] == []
    assert all(not argument.startswith("http") for name, argument in stages()[-1] if name == "ADD")


def test_the_image_installs_by_hash_all_that_it_installs_from_outside() -> None:
    commands = [argument for name, argument in stages()[0] if name == "RUN"]

    steps = [
        step for command in commands for step in command.split("&&") if re.search(r"\bpip .*(install|wheel) ", step)
    ]
    assert len(steps) == 4
    assert all("--require-hashes" in step or "--no-index" in step for step in steps)


def test_the_image_has_the_whole_build_backend() -> None:
    """The Dockerfile picks the backend's packages from the lock by name; a new one must be named."""
    named = re.search(r"wanted = /\^\(([^)]+)\)==/", (ROOT / "Dockerfile").read_text())

    assert named is not None
    assert set(named[1].split("|")) == _needed_by("hatchling", set())


def _needed_by(package: str, seen: set[str]) -> set[str]:
    seen.add(package)
    for line in importlib.metadata.requires(package) or []:
        requirement = Requirement(line)
        if (requirement.marker is None or requirement.marker.evaluate()) and requirement.name not in seen:
            _needed_by(requirement.name, seen)
    return seen


def test_the_images_version_is_the_projects() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert version == __version__
    assert ("ARG", f"VERSION={version}") in stages()[-1]
    assert compose()["services"]["claxon"]["image"] == f"claxon:{version}"


# ── compose ───────────────────────────────────────────────────────────────────────────────────────


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


@pytest.mark.parametrize("name", ["claxon", "prometheus", "grafana"])
def test_a_composed_service_is_closed(name: str) -> None:
    """Open to this machine only, without privileges, at a version that somebody chose."""
    service = compose()["services"][name]

    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"


def test_claxon_is_composed_with_a_read_only_root() -> None:
    claxon = compose()["services"]["claxon"]

    assert claxon["read_only"] is True
    assert claxon["volumes"] == ["claxon-data:/data"]
    assert claxon["tmpfs"][0].startswith("/tmp")


def test_a_secret_from_the_environment_goes_to_no_read_only_service() -> None:
    """Compose refuses that pair when it creates the container, and not before."""
    composed = compose()
    from_environment = {name for name, secret in composed["secrets"].items() if "environment" in secret}

    for service in composed["services"].values():
        assert not (service.get("read_only") and from_environment.intersection(service.get("secrets", [])))


def test_prometheus_reads_the_key_from_the_secret() -> None:
    scrape = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())["scrape_configs"][0]
    (secret,) = compose()["services"]["prometheus"]["secrets"]

    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert scrape["static_configs"] == [{"targets": ["claxon:5290"]}]


@pytest.mark.parametrize("variable", ["CLAXON_ADMIN_KEY", "CLAXON_READ_KEY", "GRAFANA_ADMIN_PASSWORD"])
def test_compose_says_how_to_make_a_missing_secret(variable: str) -> None:
    assert re.search(rf"\$\{{{variable}:\?.*openssl rand", (ROOT / "compose.yaml").read_text())
