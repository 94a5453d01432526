"""`claxon verify`: decides everything in a log again, and compares.

≠ how anything is decided.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from .data import VARIABLES, add_data, data_of
from .saying import add_json, refuse, say_json, wants_json

if TYPE_CHECKING:
    from ..proof import Proof
    from ..shards.proof import PartitionProof
    from ..storage.connecting import Connection


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    verify = commands.add_parser(
        "verify",
        help="decide the whole log again and compare, beside a Claxon that runs or without one",
        description="Decides every event of the log again, with the rules of its time, and compares the hash over all "
        "decisions with the one that was committed. Changes nothing. Exit status: 0 the same, 1 another, 2 cannot.",
    )
    add_data(verify)
    verify.add_argument(
        "--log",
        metavar="kafka://...",
        help="the topic, where the log is on Kafka: each partition is decided again by itself",
    )
    add_json(
        verify,
        {
            "first": "the first row of the log that was decided again",
            "last": "the last",
            "beginning": "what it began with, in words",
            "events": "events in those rows",
            "decisions": "decisions that the hashes cover",
            "seconds": "how long it took",
            "committed": 'the hash that was committed; "" is none',
            "again": "the hash that came out now",
            "unreadable": "rows that the disk has changed",
            "same": "whether all was decided the same",
            "partitions*": "with --log, in place of all that: of each partition the same, and `lost`, the events that "
            "are gone from the log, or cannot be read",
        },
        exits={0: "the same", 1: "another", 2: "cannot"},
        variables={**VARIABLES, "CLAXON_LOG": "as --log"},
    )
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from ..proof import prove
    from ..storage.database import StorageError, open_reader
    from ..storage.errors import DatabaseError

    log = options.log or os.environ.get("CLAXON_LOG") or None
    begin = time.perf_counter()
    try:
        connection = open_reader(data_of(options))
        try:
            if log is not None:
                return _verify_partitions(options, connection, log)
            proof = prove(connection)
        finally:
            connection.close()
    except (StorageError, DatabaseError) as fault:
        return refuse(options, fault)
    seconds = time.perf_counter() - begin
    if wants_json(options):
        say_json(_answer(proof, seconds))
    else:
        _say(proof, seconds)
    if proof.unreadable:
        rows = ", ".join(map(str, proof.unreadable[:20]))
        refuse(options, f"event log: {len(proof.unreadable)} rows cannot be read (bit rot): {rows}")
    if proof.committed == "":
        return refuse(options, "cursor: no hash yet: start `claxon serve` on it once")
    return 0 if proof.same else 1


def _verify_partitions(options: argparse.Namespace, connection: Connection, log: str) -> int:
    """Prove each partition; return the exit status.

    Raises:
        StorageError, DatabaseError: One cannot be.
    """
    from ..shards.past import PastOf
    from ..shards.proof import prove
    from ..storage.kafka_url import KafkaUrlError, parse_kafka_url
    from ..storage.topics import open_past

    try:
        url = parse_kafka_url(log)
    except KafkaUrlError as fault:
        return refuse(options, fault)
    past = PastOf(lambda: open_past(url, node="verify"))
    proofs: list[PartitionProof] = []
    try:
        for proof in prove(connection, past):
            proofs.append(proof)
            if not wants_json(options):
                _say_partition(proof)
    finally:
        past.close()
    if wants_json(options):
        say_json({"partitions": proofs, "same": all(proof.same for proof in proofs)})
    if not proofs:
        return refuse(options, "partitions: none was ever evaluated: start `claxon serve --log` on it once")
    return 0 if all(proof.same for proof in proofs) else 1


def _say_partition(proof: PartitionProof) -> None:
    said = (
        "the same"
        if proof.same
        else f"NOT the same: {proof.committed or 'none'} was committed, {proof.again} is it now"
    )
    lost = f", {proof.lost:,} are gone from the log" if proof.lost else ""
    counted = f"{proof.decisions:,} decisions, {proof.events:,} events again{lost}"
    print(f"partition {proof.partition}: {counted}, {proof.beginning}: {said}")


def _answer(proof: Proof, seconds: float) -> dict[str, object]:
    return {
        "first": proof.first,
        "last": proof.last,
        "beginning": proof.beginning,
        "events": proof.events,
        "decisions": proof.decisions,
        "seconds": round(seconds, 3),
        "committed": proof.committed,
        "again": proof.again,
        "unreadable": proof.unreadable,
        "same": proof.same,
    }


def _say(proof: Proof, seconds: float) -> None:
    rate = proof.events / seconds if seconds > 0 else 0.0
    print(f"log:       rows {proof.first} to {proof.last}, {proof.beginning}")
    print(f"decided:   {proof.decisions:,} decisions on {proof.events:,} events in {seconds:.1f} s ({rate:,.0f}/s)")
    print(f"committed: {proof.committed or 'unknown'}")
    print(f"again:     {proof.again}")
    if proof.committed:
        print("the same" if proof.same else "NOT the same: another version of Claxon decided, or the log was changed")
