"""Where the log is on Kafka: kafka://HOST:PORT,HOST:PORT/TOPIC?OPTIONS.

Options are what librdkafka calls its own for TLS and SASL, in the URL or in a file of properties that it names, as
passwords should be. As text it says brokers and topic alone.

≠ how it is opened, what is in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

SCHEME = "kafka://"

PARTITIONS = "partitions"
REPLICAS = "replicas"
GROUP = "group"
FILE = "properties"
"""Options of ours: of a topic that is created, who reads it together, and where more options are."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")
_OPTION = re.compile(r"(security\.protocol|ssl\.[a-z.]+|sasl\.[a-z.]+|enable\.ssl\.certificate\.verification)")
_OURS = (PARTITIONS, REPLICAS)
_MOST = 10_000


class KafkaUrlError(ValueError):
    """No URL of a topic; the text is *where: value: remedy*, without any password."""


@dataclass(frozen=True, slots=True)
class KafkaUrl:
    """A topic.

    Attributes:
        brokers: HOST:PORT, with commas between them: those that are asked for the others.
        topic: Its name.
        options: librdkafka's, of TLS and SASL, for the driver alone.
        partitions: How many a topic gets that is created; None: the usual number.
        replicas: Of each of them; None: three, or as many as there are brokers.
        group: The consumer group of those that evaluate; each database needs one of its own.
    """

    brokers: str
    topic: str
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    partitions: int | None = None
    replicas: int | None = None
    group: str = ""

    def __str__(self) -> str:
        """Return what may be shown."""
        return f"{SCHEME}{self.brokers}/{self.topic}"


def parse_kafka_url(text: str) -> KafkaUrl:
    """Return the topic that --log names; reads the file of properties, if it names one.

    Raises:
        KafkaUrlError: It is no such URL, or the file cannot be read.
    """
    if not text.startswith(SCHEME):
        raise KafkaUrlError(f"--log: {text.partition('://')[0]}: write {SCHEME}HOST:PORT,HOST:PORT/TOPIC")
    rest, _, query = text.removeprefix(SCHEME).partition("?")
    brokers, slash, topic = rest.partition("/")
    if "@" in brokers:
        shown = brokers.rpartition("@")[2]
        raise KafkaUrlError(f"--log: ...@{shown}: no user goes here: write ?sasl.username= and sasl.password=")
    _check_brokers(brokers)
    topic = unquote(topic)
    if not slash or not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise KafkaUrlError(f"--log: topic {topic!r}: write 1 to 249 of A-Z a-z 0-9 . _ - after the brokers")
    options = _options(query)
    ours = {name: _count(name, options.pop(name)) for name in _OURS if name in options}
    group = options.pop(GROUP, f"claxon-{topic}")
    for name in options:
        if not _OPTION.fullmatch(name):
            raise KafkaUrlError(
                f"--log: {name}: no such option: write partitions, replicas, group, properties, security.protocol, "
                "or what librdkafka calls ssl. and sasl."
            )
    return KafkaUrl(brokers, topic, tuple(sorted(options.items())), ours.get(PARTITIONS), ours.get(REPLICAS), group)


def _check_brokers(brokers: str) -> None:
    for broker in brokers.split(","):
        found = _BROKER.fullmatch(broker)
        if found is None or not 0 < int(found["port"]) < 65_536:
            raise KafkaUrlError(f"--log: broker {broker!r}: write HOST:PORT, with commas between several")


def _options(query: str) -> dict[str, str]:
    """Return the options of a URL, and before them those of the file that it names."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as fault:
        raise KafkaUrlError("--log: options: write ?name=value, with & between several") from fault
    said = _distinct(pairs, "--log")
    named = said.pop(FILE, None)
    return {**(_read(Path(named)) if named is not None else {}), **said}


def _read(path: Path) -> dict[str, str]:
    """Return the options in a file: name=value, one a line, with # before what is a comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "not UTF-8"
        raise KafkaUrlError(f"--log: properties: {path}: {why}: name a file of name=value lines") from fault
    pairs = []
    for number, line in enumerate(lines, 1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            # Not the line itself: it may be a password that lost its name.
            raise KafkaUrlError(f"{path}:{number}: no '=' in it: write name=value")
        pairs.append((name.strip(), value.strip()))
    return _distinct(pairs, str(path))


def _distinct(pairs: list[tuple[str, str]], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise KafkaUrlError(f"{where}: {name}: twice: write it once")
        found[name] = value
    return found


def _count(name: str, value: str) -> int:
    if not value.isascii() or not value.isdecimal() or not 0 < int(value) <= _MOST:
        raise KafkaUrlError(f"--log: {name}: {value}: write a number from 1 to {_MOST}")
    return int(value)
