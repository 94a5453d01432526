"""An older answer when all else fails, for calls that may have one."""

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Sum it up"}]}
health = "200"


def show(what: str, client: anthropic.Anthropic) -> None:
    """Ask, and print what came."""
    try:
        message = client.messages.create(**QUESTION)
    except anthropic.APIError as error:
        print(what, type(error).__name__)
        return
    marks = claxon.marks(message)
    print(what, repr(message.content[0].text), f"stale, {marks.age_s:.0f} s old" if marks.stale else "fresh")


with FakeClaude(lambda request: health) as fake:
    answers = claxon.StaleAnswers(claxon.MemoryStore())
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0, middleware=[answers])
    with claxon.may_be_stale(max_age_s=3600):
        show("while all is well: ", client)
        health = "529"
        show("while it is not:   ", client)
        health = "401"
        show("a rejected key:    ", client)
    health = "529"
    show("without the mark:  ", client)
