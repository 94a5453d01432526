"""Apache Kafka as it was released: fetched by Maven, held to the hashes of kafka/jars.sha256, kept for all runs."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.peers import PeerError, require

SOURCE = Path(__file__).with_name("kafka")
POM = SOURCE / "pom.xml"
PINS = SOURCE / "jars.sha256"
FETCH_S = 600
JAVA_AT_LEAST = 17


def require_kafka() -> Path:
    """Return the folder of the jars; skip the test, or in CI fetch them, where they are missing.

    Without a network the jars of an earlier run do; Java is needed each time, Maven only for the first.

    Raises:
        PeerError: In CI, and they could not be fetched, or are not what is pinned.
    """
    folder = _folder()
    if not (folder / ".verified").exists():
        require("kafka")
        if os.environ.get("CI") != "true":
            pytest.skip("peer kafka: jars: not there: run `python -m tests.support.kafka_jars`, or set CI=true")
        fetch()
    return folder


@functools.cache
def java() -> Path:
    """Return Java's program.

    Raises:
        PeerError: It is older than Kafka needs.
    """
    found = shutil.which("java")
    if found is None:
        require("kafka")  # skips, or installs both
        found = shutil.which("java") or "java"
    program = Path(found)
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=60).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise PeerError(f"java: {said.splitlines()[0]}: Kafka needs {JAVA_AT_LEAST} or later: install a newer one")
    return program


def fetch() -> None:
    """Fetch the jars, once for all processes of tests, and refuse what is not pinned."""
    folder = _folder()
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / ".verified").exists():  # by another process, which had the lock before
            return
        shutil.rmtree(folder, ignore_errors=True)
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
        # Strict: a download whose checksum is wrong is an error.
        command = [str(require("kafka")), "-B", "-q", "-ntp", "--strict-checksums", "-f", str(POM), *copy]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_S)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stdout", None) or error).strip()[-2000:]
            raise PeerError(f"kafka: {POM.name}: cannot be fetched: {said}") from error
        if wrong := differences(folder):
            raise PeerError(f"kafka: {PINS.name}: {'; '.join(wrong)}: if that is meant, renew the pins")
        (folder / ".verified").touch()


def differences(folder: Path) -> list[str]:
    """Return what differs between the jars of a folder and those that are pinned; nothing where all are the same."""
    wanted = {name: digest for digest, name in (line.split() for line in PINS.read_text().splitlines())}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    return [
        *(f"{name}: missing" for name in sorted(wanted.keys() - there.keys())),
        *(f"{name}: not pinned" for name in sorted(there.keys() - wanted.keys())),
        *(f"{name}: another hash" for name in sorted(wanted.keys() & there.keys()) if wanted[name] != there[name]),
    ]


def _folder() -> Path:
    digest = hashlib.sha256(POM.read_bytes() + PINS.read_bytes()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"claxon-tests-kafka-{os.geteuid()}-{digest}"


def pin() -> None:
    """Write the hashes of the jars that were fetched last, after a change of pom.xml."""
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _folder().glob("*.jar")}
    PINS.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items())))


if __name__ == "__main__":
    try:
        fetch()
    except PeerError:
        if sys.argv[1:] != ["pin"]:
            raise
        pin()
        fetch()
