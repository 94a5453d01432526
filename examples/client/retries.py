"""Retries by category, a cap on retry-after, and a deadline; against a Claude API that fails as it is told to."""

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


def ask(client: anthropic.Anthropic, fault: str) -> str:
    """Return what the app gets when the API does as `fault` says."""
    try:
        message = client.messages.create(**QUESTION, extra_headers={"x-fake": fault})
    except claxon.CallParked as error:
        return f"parked for {error.retry_after_s:g} s, given back at once"
    except anthropic.APIError as error:
        marks = claxon.marks(error)
        return f"{type(error).__name__} after {marks.attempts} request(s), stopped by {marks.stopped_by}"
    return f"an answer after {claxon.marks(message).attempts} request(s)"


with FakeClaude() as fake:
    policy = claxon.RetryPolicy(base_s=0.02, most_retry_after_s=30, deadline_s=60)
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0, middleware=[policy])
    print("two 500s:           ", ask(client, "500,500,200"))
    print("529 for ever:       ", ask(client, "529"))
    print("a rejected key:     ", ask(client, "401"))
    print("retry-after: 1 hour:", ask(client, "429:retry_after=3600"))
    with claxon.deadline(0.5):
        print("too slow:           ", ask(client, "429:retry_after=2,200"))
