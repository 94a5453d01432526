"""A chain of models: the next answers when one is out of order; against a Claude API that fails as it is told to."""

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude

chain = claxon.Fallbacks(
    claxon.Fallback("claude-sonnet-5-5", thinking=None),  # asked without the first request's thinking
    claxon.Fallback("claude-haiku-5-5", thinking=None, max_tokens=512),
)
faults: dict[str, str] = {}


def ask(client: anthropic.Anthropic, **broken: str) -> str:
    """Return who answers, while the models named are broken."""
    faults.clear()
    faults.update({f"claude-{name}-5-5": fault for name, fault in broken.items()})
    try:
        message = client.messages.create(
            model="claude-opus-5-5", max_tokens=64, messages=[{"role": "user", "content": "Hello"}]
        )
    except anthropic.APIStatusError as error:
        return f"{type(error).__name__}; failed before the last: {claxon.marks(error).fallback_from}"
    marks = claxon.marks(message)
    return f"{message.model} after {marks.attempts or 1} request(s); failed: {', '.join(marks.fallback_from) or 'none'}"


with FakeClaude(lambda request: faults.get(request.model)) as fake:
    policy = claxon.RetryPolicy(most_attempts=2, base_s=0.02)
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0, middleware=[chain, policy])
    print("all is well:      ", ask(client))
    print("opus overloaded:  ", ask(client, opus="529"))
    print("opus parked:      ", ask(client, opus="429:retry_after=3600", sonnet="500"))
    print("spend limit:      ", ask(client, opus="429:error_code=enforced_spend_limit_reached"))
    print("nothing works:    ", ask(client, opus="529", sonnet="529", haiku="500"))
