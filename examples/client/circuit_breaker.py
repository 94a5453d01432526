"""A model that mostly fails is left alone for a while; against a Claude API that is down, and comes back."""

import time

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


def ask(client: anthropic.Anthropic) -> str:
    """Return what the app gets."""
    try:
        client.messages.create(**QUESTION)
    except claxon.CircuitOpen as error:
        return f"CircuitOpen for {error.model}, opened by: {error.category}"
    except anthropic.APIStatusError as error:
        return type(error).__name__
    return "an answer"


with FakeClaude(respond=lambda request: "529") as fake:
    breaker = claxon.CircuitBreaker(least_attempts=4, share=0.5, open_s=0.3, probes=2)
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0, middleware=[breaker])
    for number in range(1, 7):
        print(f"call {number}:", ask(client))
    print("requests that were sent:", len(fake.seen))
    fake.respond = None  # it is well again
    time.sleep(0.3)
    print("a probe:", ask(client), "/", *breaker.states().values())
    print("another:", ask(client), "/", *breaker.states().values())
