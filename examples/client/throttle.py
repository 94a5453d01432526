"""Calls are spread out when little of a rate limit is left; against a Claude API that says how much is."""

import asyncio

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


async def five_at_once(client: anthropic.AsyncAnthropic) -> str:
    """Return whether most of five calls were held back."""
    messages = await asyncio.gather(*(client.messages.create(**QUESTION) for _ in range(5)))
    return "held back" if sum(claxon.marks(message).waited_s > 0 for message in messages) > 2 else "sent at once"


async def main() -> None:
    """Ask an API with 80 % of its limits left, and then with 4 %."""
    with FakeClaude(respond=lambda request: f"200:remaining={left}") as fake:
        throttle = claxon.Throttle(below=0.1, most_wait_s=10)
        client = anthropic.AsyncAnthropic(api_key="none", base_url=fake.url, middleware=[throttle])
        left = 0.8
        await client.messages.create(**QUESTION)
        print("80 % left:", await five_at_once(client))
        left = 0.04
        await client.messages.create(**QUESTION)
        print("4 % left: ", await five_at_once(client))
        await client.close()


asyncio.run(main())
