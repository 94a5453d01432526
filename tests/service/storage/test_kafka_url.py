"""--log kafka://...: what is taken, what is refused, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.storage.kafka_url import KafkaUrlError, parse_kafka_url

SECRET = "hunter2"


def test_brokers_and_topic() -> None:
    found = parse_kafka_url("kafka://b1:9092,[::1]:9093/claxon-events")
    assert (found.brokers, found.topic, found.options) == ("b1:9092,[::1]:9093", "claxon-events", ())
    assert found.group == "claxon-claxon-events"


def test_options_of_librdkafka_and_of_a_topic_that_is_created() -> None:
    found = parse_kafka_url(
        "kafka://b:1/t?security.protocol=SSL&ssl.ca.location=/etc/ca.pem&partitions=12&replicas=1&group=x"
    )
    assert found.options == (("security.protocol", "SSL"), ("ssl.ca.location", "/etc/ca.pem"))
    assert (found.partitions, found.replicas, found.group) == (12, 1, "x")


def test_a_file_of_properties_gives_what_the_url_does_not(tmp_path: Path) -> None:
    path = tmp_path / "kafka.properties"
    path.write_text(f"# who we are\n\nsasl.username = claxon\nsasl.password={SECRET}=x\nsasl.mechanism=PLAIN\n")

    found = parse_kafka_url(f"kafka://b:1/t?properties={path}&sasl.mechanism=SCRAM-SHA-512")

    assert dict(found.options) == {
        "sasl.username": "claxon",
        "sasl.password": f"{SECRET}=x",
        "sasl.mechanism": "SCRAM-SHA-512",
    }


def test_a_password_is_never_shown() -> None:
    found = parse_kafka_url(f"kafka://b:1/t?sasl.username=claxon&sasl.password={SECRET}")
    assert SECRET not in f"{found} {found!r}"
    assert str(found) == "kafka://b:1/t"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redpanda://b:1/t", "--log: redpanda: write kafka://HOST:PORT"),
        ("kafka:///t", "--log: broker '': write HOST:PORT"),
        ("kafka://b/t", "--log: broker 'b': write HOST:PORT"),
        ("kafka://b:1,/t", "--log: broker '': write"),
        ("kafka://b:0/t", "--log: broker 'b:0': write"),
        ("kafka://b:65536/t", "--log: broker 'b:65536': write"),
        ("kafka://b:1", "--log: topic '': write 1 to 249 of"),
        ("kafka://b:1/", "--log: topic '': write 1 to 249 of"),
        ("kafka://b:1/..", "--log: topic '..': write"),
        ("kafka://b:1/a/b", "--log: topic 'a/b': write"),
        ("kafka://b:1/t?partitions", "--log: options: write ?name=value"),
        ("kafka://b:1/t?partitions=0", "--log: partitions: 0: write a number"),
        ("kafka://b:1/t?replicas=three", "--log: replicas: three: write a number"),
        ("kafka://b:1/t?acks=1", "--log: acks: no such option: write"),
        ("kafka://b:1/t?partitions=1&partitions=2", "--log: partitions: twice: write it once"),
        ("kafka://b:1/t?properties=/nowhere", "--log: properties: /nowhere: No such file"),
    ],
)
def test_what_is_refused_says_where_and_what_to_write(text: str, said: str) -> None:
    with pytest.raises(KafkaUrlError) as refused:
        parse_kafka_url(text)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "text", [f"kafka://claxon:{SECRET}@b:1/t", f"kafka://b:1/t?password={SECRET}", f"kafka://b:1/t?{SECRET}"]
)
def test_a_refusal_says_no_password(text: str) -> None:
    with pytest.raises(KafkaUrlError) as refused:
        parse_kafka_url(text)
    assert SECRET not in str(refused.value)


def test_a_line_of_properties_without_a_name_is_named_by_its_number_alone(tmp_path: Path) -> None:
    path = tmp_path / "kafka.properties"
    path.write_text(f"sasl.username=claxon\n{SECRET}\n")
    with pytest.raises(KafkaUrlError) as refused:
        parse_kafka_url(f"kafka://b:1/t?properties={path}")
    assert str(refused.value) == f"{path}:2: no '=' in it: write name=value"
