"""A retry budget and a cost limit: retries stop before they make an outage worse, or dear."""

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 8000, "messages": [{"role": "user", "content": "Hello"}]}

with FakeClaude(lambda request: "500") as fake:
    budget = claxon.RetryBudget(ratio=0.1, reserve=5)
    policy = claxon.RetryPolicy(base_s=0.01, budget=budget)
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0, middleware=[policy])
    for _ in range(20):
        try:
            client.messages.create(**QUESTION)
        except anthropic.InternalServerError as error:
            stopped_by = claxon.marks(error).stopped_by
    print(f"20 calls, all failing: {len(fake.seen)} requests; the last stopped by {stopped_by}")

with FakeClaude(lambda request: "504") as fake:
    cheap = claxon.RetryPolicy(base_s=0.01, cost=claxon.CostLimit(most_usd=0.20), budget=None)
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0, middleware=[cheap])
    try:
        client.messages.create(**QUESTION)
    except anthropic.APIStatusError as error:
        print(f"a timeout of a $0.16 call: {len(fake.seen)} request; stopped by {claxon.marks(error).stopped_by}")

print(claxon.stats().resilience)
