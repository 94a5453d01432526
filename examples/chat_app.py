"""A chat on the terminal, whose every call is watched.

    ANTHROPIC_API_KEY=... python examples/chat_app.py
    python examples/chat_app.py --fake          # a local API that fails now and then

Events go to CLAXON_URL, by default http://127.0.0.1:5290 (`make serve`).
"""

from __future__ import annotations

import argparse
import itertools
import sys

import anthropic
import claxon

MODEL = "claude-opus-4-8"


def main() -> None:
    """Read lines, answer each."""
    parser = argparse.ArgumentParser(description="A chat whose every call is watched.")
    parser.add_argument("--fake", action="store_true", help="use a local fake API")
    parser.add_argument("--model", default=MODEL)
    arguments = parser.parse_args()
    claxon.instrument(app="chat", environment="example")
    if not arguments.fake:
        chat(anthropic.Anthropic(), arguments.model)
        return
    from service.demo.fake_claude import FakeClaude

    steps = itertools.cycle(["200", "529:retry_after_ms=200", "200", "stream-error", "200"])
    with FakeClaude(lambda _: next(steps)) as api:
        chat(anthropic.Anthropic(api_key="none", base_url=api.url), arguments.model)


def chat(client: anthropic.Anthropic, model: str) -> None:
    """Answer line after line; an error ends an answer, not the chat."""
    history: list[anthropic.types.MessageParam] = []
    for line in sys.stdin:
        history.append({"role": "user", "content": line})
        try:
            with claxon.context(path="chat/answer"):
                answer = answer_to(client, model, history)
        except anthropic.APIError as error:
            history.pop()
            print(f"\n[{type(error).__name__}; whoever is on call knows]")
            continue
        history.append({"role": "assistant", "content": answer})


def answer_to(client: anthropic.Anthropic, model: str, history: list[anthropic.types.MessageParam]) -> str:
    """Print an answer as it comes, and return it."""
    with client.messages.stream(model=model, max_tokens=1024, messages=history) as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
        print()
        return stream.get_final_text()


if __name__ == "__main__":
    main()
