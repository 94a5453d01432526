"""Keys of older answers: the same request of the same account has one; nobody gets another's answer."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic import APIRequest, Omit
from anthropic._models import FinalRequestOptions
from anthropic.lib.credentials import StaticToken
from claxon.stale.keying import Key, key_of

BODY: dict[str, Any] = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "x"}]}
ORDERED = dict(reversed(BODY.items()))


def request(body: Any = BODY, *, stream: bool = False, url: str = "/v1/messages", **options: Any) -> APIRequest:
    made = FinalRequestOptions.construct(method="post", url=url, json_data=body, **options)
    return APIRequest(options=made, cast_to=object, stream=stream)


def client(**given: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(**{"api_key": "sk-ant-1", "base_url": "http://127.0.0.1:1", **given})


def key(made: APIRequest | None = None, of: Any = None, **told: Any) -> Key:
    found = key_of(made or request(), of or client(), **told)
    assert found is not None
    return found


USUAL = key()


@pytest.mark.parametrize(
    "same",
    [
        key(request(ORDERED)),
        key(of=client(timeout=1, max_retries=7)),
        key(of=client().with_options(max_retries=3)),
        key(request(headers={"traceparent": "00-1", "X-Stainless-Retry-Count": "2", "X-Request-Id": "7"})),
        key(request(idempotency_key="another")),
        key(request(headers={"X-Our-Id": "7"}), ignored=frozenset({"x-our-id"})),
    ],
)
def test_what_changes_no_answer_changes_no_key(same: Key) -> None:
    assert same == USUAL
    assert same.portable


OTHERS = {
    "a word": key(request({**BODY, "system": "Be brief."})),
    "the order of a list": key(request({**BODY, "stop_sequences": ["a", "b"]})),
    "the other order": key(request({**BODY, "stop_sequences": ["b", "a"]})),
    "the user of the app": key(request({**BODY, "metadata": {"user_id": "u1"}})),
    "another user": key(request({**BODY, "metadata": {"user_id": "u2"}})),
    "streamed": key(request(stream=True)),
    "the beta API": key(request(url="/v1/messages?beta=true")),
    "a query of the call": key(request(params={"a": "b"})),
    "a query of the client": key(of=client(default_query={"a": "b"})),
    "extra_body": key(request(extra_json={"a": "b"})),
    "beta headers": key(request(headers={"anthropic-beta": "context-1m"})),
    "another base URL": key(of=client(base_url="http://127.0.0.1:2")),
    "another key": key(of=client(api_key="sk-ant-2")),
    "a token that reads like the key": key(of=client(api_key=None, auth_token="sk-ant-1")),
    "a key of the call": key(request(headers={"X-Api-Key": "sk-ant-3"})),
    "another one": key(request(headers={"x-api-key": "sk-ant-4"})),
    "a key left out": key(request(headers={"Authorization": Omit()})),
    "a key of the client's headers": key(of=client(default_headers={"Authorization": "Bearer sk-ant-3"})),
    "the tenant of a gateway": key(of=client(default_headers={"x-portkey-virtual-key": "t1"})),
    "another tenant": key(of=client(default_headers={"x-portkey-virtual-key": "t2"})),
    "a header of the app's own": key(request(headers={"x-our-id": "7"})),
    "a workspace": key(request(headers={"anthropic-workspace-id": "wrkspc_1"})),
    "credentials": key(of=client(api_key=None, credentials=StaticToken("a"))),
    "credentials that read the same": key(of=client(api_key=None, credentials=StaticToken("a"))),
    "another platform": key(of=anthropic.AnthropicBedrock(api_key="sk-ant-1", aws_region="x", base_url="http://x")),
    "AWS keys": key(of=anthropic.AnthropicBedrock(aws_access_key="A", aws_secret_key="s", aws_region="x")),
    "other AWS keys": key(of=anthropic.AnthropicBedrock(aws_access_key="B", aws_secret_key="s", aws_region="x")),
    "another region": key(of=anthropic.AnthropicBedrock(aws_access_key="A", aws_secret_key="s", aws_region="y")),
    "a project of Google's": key(of=anthropic.AnthropicVertex(project_id="p", region="x", access_token="t")),
    "another project": key(of=anthropic.AnthropicVertex(project_id="q", region="x", access_token="t")),
    "a resource of Azure's": key(of=anthropic.AnthropicFoundry(api_key="sk-ant-1", resource="r")),
    "another resource": key(of=anthropic.AnthropicFoundry(api_key="sk-ant-1", resource="s")),
    "tokens of Azure's": key(of=anthropic.AnthropicFoundry(azure_ad_token_provider=lambda: "t", resource="r")),
    "tokens of another's": key(of=anthropic.AnthropicFoundry(azure_ad_token_provider=lambda: "t", resource="r")),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_may_change_an_answer_or_whose_it_is_changes_the_key(what: str) -> None:
    keys = {name: other.digest for name, other in OTHERS.items() if name != what}

    assert OTHERS[what].digest not in {USUAL.digest, *keys.values()}


def test_copies_of_a_client_share_what_mints_their_tokens() -> None:
    made = client(api_key=None, credentials=StaticToken("a"))

    assert key(of=made) == key(of=made.with_options(timeout=1))
    assert not key(of=made).portable, "a token is new each hour: another process cannot tell whose it is"


def test_the_app_may_say_whose_answers_they_are() -> None:
    """Then they outlive a change of the key, and are found by other processes."""
    ours = key(account="us")

    assert ours == key(of=client(api_key="sk-ant-rotated"), account="us")
    assert ours == key(request(headers={"x-api-key": "sk-ant-rotated"}), account="us")
    assert ours.digest not in (USUAL.digest, key(account="them").digest)
    assert key(of=client(api_key=None, credentials=StaticToken("a")), account="us") == ours


def test_nothing_can_be_read_back_from_a_key() -> None:
    assert len(USUAL.digest) == 64
    assert set(USUAL.digest) <= set("0123456789abcdef")


def test_what_has_no_canonical_form_has_no_key() -> None:
    assert key_of(request({**BODY, "file": object()}), client()) is None
