"""Streams that break: what came is kept, and the reader is told; against a Claude API that fails as it is told to."""

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}

with FakeClaude() as fake, anthropic.Anthropic(api_key="none", base_url=fake.url) as client:
    for fault in ("200", "stream-error", "stream-cut", "stream-end"):
        stream = client.messages.stream(**QUESTION, extra_headers={"x-fake": fault})
        answer = claxon.read_stream(stream)
        tokens = f"about {answer.tokens_so_far}" if answer.tokens_estimated else answer.tokens_so_far
        print(f"{answer.ending}: {answer.text_with_notice!r}, {tokens} token(s)")

    with claxon.partial(client.messages.create(**QUESTION, stream=True)) as pieces:
        for text in pieces:
            print("a piece:", text)
            break  # a reader who leaves the page
    print(f"{pieces.answer.ending}: {pieces.answer.text!r}")

print(claxon.stats().resilience)
