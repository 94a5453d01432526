"""Fuzz for minutes: `make fuzz`, or `python -m tests.fuzz decoders|coverage|openapi [--minutes 10] [--seed 1]`.

Ends with status 1 at the first broken promise, and says how to see it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.support.running import Process

from .bodies import packed_bodies, plain_bodies
from .decoding import check_body

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["decoders", "coverage", "openapi"])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    run = {"decoders": fuzz_decoders, "coverage": fuzz_with_coverage, "openapi": fuzz_openapi}[asked.what]
    return run(asked.minutes * 60, asked.seed)


def fuzz_decoders(seconds: float, first: int) -> int:
    """Bodies by Hypothesis, with another seed each round."""
    end = time.monotonic() + seconds
    count, slowest, round_ = 0, 0.0, first
    while time.monotonic() < end:

        @seed(round_)
        @settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.one_of(packed_bodies, plain_bodies.map(lambda body: ("", body))), st.booleans())
        def check(made: tuple[str, bytes], ndjson: bool) -> None:
            nonlocal count, slowest
            slowest = max(slowest, check_body(*made, ndjson=ndjson))
            count += 1

        check()
        round_ += 1
    print(f"{count} bodies, seeds {first} to {round_ - 1}; the slowest took {slowest * 1000:.0f} ms to decode")
    return 0


def fuzz_with_coverage(seconds: float, first: int) -> int:
    """Bytes by libFuzzer, which looks for new branches of our code; needs atheris."""
    import atheris

    for name in ("service.decoding", "service.aliases", "service.expanding", "service.splitting", "service.rejects"):
        module = sys.modules[name]
        for attribute, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__module__", "") == name and hasattr(value, "__code__"):
                setattr(module, attribute, atheris.instrument_func(value))
    encodings = ["", "gzip", "deflate", "zstd"]

    def one(data: bytes) -> None:
        if data:
            check_body(encodings[data[0] & 3 if data[0] & 4 else 0], data[1:], ndjson=bool(data[0] & 8))

    with tempfile.TemporaryDirectory() as folder:
        for number, body in enumerate(_CORPUS):
            Path(folder, str(number)).write_bytes(b"\0" + body)
        words = Path(folder + ".dict")
        words.write_text("".join(f'"{word}"\n' for word in _words()))
        flags = [f"-max_total_time={seconds:.0f}", f"-seed={first}", f"-dict={words}", "-max_len=4096", "-timeout=5"]
        atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", f"-artifact_prefix={folder}.", folder], one)
        atheris.Fuzz()
    return 0


_CORPUS = [
    b'[{"model":"m","time":1795000000.5,"status":429,"attempt":2,"ratelimit":{"tokens_limit":5}}]',
    b'{"model":"m","timestamp":"2026-11-25 08:00:00,1Z","level":"error","error":{"type":"overloaded_error"}}\n{}',
    b'{"model":"m"}{"date":1795000000.1,"model":"m","usage":{"input_tokens":1},"duration":"1.5s","attributes":{"a":"b"}}',
]


def _words() -> list[str]:
    from claxon.event import FIELDS

    from service.aliases import ALIASES

    return sorted({*FIELDS, *(name for alias in ALIASES for name in alias.names), "level", "exc_type", "sk-ant-"})


def fuzz_openapi(seconds: float, first: int) -> int:
    """Requests by Schemathesis, from /openapi.json, to a service of its own; needs schemathesis."""
    end = time.monotonic() + seconds
    requests, round_, status = 0, first, 0
    with tempfile.TemporaryDirectory() as folder, Process(Path(folder)) as claxon:
        _make_it_fire(claxon)
        while time.monotonic() < end and not status:
            found = subprocess.run(
                _schemathesis(claxon.url, round_), cwd=folder, capture_output=True, text=True, check=False
            )
            requests += sum(int(n) for n in re.findall(r"(\d+) generated", found.stdout))
            status = found.returncode
            round_ += 1
        if status:
            print(found.stdout[-20_000:], found.stderr[-2000:], claxon.log.read_text()[-5000:], sep="\n")
        faults = claxon.log.read_text().count("request.faulted")
    print(f"{requests} requests, seeds {first} to {round_ - 1}; {faults} faults in the log of the service")
    return 1 if faults else status


def _make_it_fire(claxon: Process) -> None:
    failing = [
        {"model": "m", "app": "fuzzed", "error_type": "authentication_error", "call_id": str(i)} for i in range(20)
    ]
    assert claxon.post(failing)[0] == 202


def _schemathesis(url: str, round_: int) -> list[str]:
    program = Path(sys.executable).parent / "schemathesis"
    flags = [
        "--phases",
        "coverage,fuzzing",
        "--checks",
        CHECKS,
        "--continue-on-failure",
        "--generation-database",
        "none",
    ]
    flags += ["--max-examples", "100", "--seed", str(round_), "--request-timeout", "10", "--workers", "1"]
    return [str(program), "run", f"{url}/openapi.json", *flags]


if __name__ == "__main__":
    sys.exit(main())
