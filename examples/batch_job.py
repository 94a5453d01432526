"""A job that summarises the lines of a file, many at a time, and ends.

    ANTHROPIC_API_KEY=... python examples/batch_job.py notes.txt
    python examples/batch_job.py --fake notes.txt

A job that lives for seconds is the case that scraped metrics miss: here the
first error is sent at once, and the rest when the process ends.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import anthropic
import claxon

MODEL = "claude-opus-4-8"
AT_A_TIME = 8


@claxon.context(path="batch/summary")
async def summary(client: anthropic.AsyncAnthropic, model: str, line: str) -> str:
    """Return one line's summary."""
    message = await client.messages.create(
        model=model,
        max_tokens=200,
        messages=[{"role": "user", "content": f"Summarise in five words: {line}"}],
    )
    return "".join(block.text for block in message.content if block.type == "text")


async def work(client: anthropic.AsyncAnthropic, model: str, lines: list[str]) -> None:
    """Summarise all lines, and say how it went."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(line: str) -> str:
        async with turn:
            return await summary(client, model, line)

    results = await asyncio.gather(*(one(line) for line in lines), return_exceptions=True)
    for line, result in zip(lines, results, strict=True):
        print(f"{line[:40]:40} {type(result).__name__ if isinstance(result, BaseException) else result}")
    await client.close()
    # Not needed, for the end of the process does it too; but here one sees what became of the events.
    delivered = await asyncio.to_thread(claxon.flush)
    print("events:", claxon.stats(), "" if delivered else "(is the service up?)")


def main() -> None:
    """Read the file, and summarise it."""
    parser = argparse.ArgumentParser(description="Summarise the lines of a file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--fake", action="store_true", help="use a local fake API")
    parser.add_argument("--model", default=MODEL)
    arguments = parser.parse_args()
    lines = [line for line in arguments.file.read_text().splitlines() if line]
    claxon.instrument(app="batch", environment="example")
    if not arguments.fake:
        asyncio.run(work(anthropic.AsyncAnthropic(), arguments.model, lines))
        return
    from service.demo.fake_claude import FakeClaude

    with FakeClaude(lambda request: "429:retry_after_ms=100" if request.attempt == 1 else "200") as api:
        client = anthropic.AsyncAnthropic(api_key="none", base_url=api.url)
        asyncio.run(work(client, arguments.model, lines))


if __name__ == "__main__":
    main()
