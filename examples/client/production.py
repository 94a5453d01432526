"""One line: an app that goes on answering while the API fails, and says how."""

import sys

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
fault = {"claude-opus-5-5": "200", "claude-sonnet-5-5": "200"}

with FakeClaude(lambda request: fault[request.model]) as fake:
    sys.stderr = sys.stdout  # the table goes to standard error
    client = claxon.production(
        anthropic.Anthropic(api_key="none", base_url=fake.url),
        fallbacks=["claude-sonnet-5-5"],
        retries=claxon.RetryPolicy(base_s=0.01),  # short pauses, for the example
    )
    for broken in ((), ("claude-opus-5-5",), tuple(fault)):
        fault.update(dict.fromkeys(broken, "529"))
        with claxon.may_be_stale(max_age_s=3600):
            message = client.messages.create(**QUESTION, model="claude-opus-5-5")
        marks = claxon.marks(message)
        print(
            f"{len(broken)} models down: {message.model} answers", "(stale)" if marks.stale else "", marks.fallback_from
        )
