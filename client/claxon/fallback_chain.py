"""fallback_chain: which model to ask next, and how its request differs from the first one's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from anthropic import Omit

from .steering import altered

if TYPE_CHECKING:
    from anthropic import APIRequest

Body: TypeAlias = dict[str, Any]


class Fallback:
    """A model to ask next, and how its request differs from the first one's.

    Args:
        model: Its name, as the client's platform has it.
        patch: Makes the body of its request from a shallow copy of the first one's, after the rest of the patch.
            What is inside must not be changed, only replaced.
        headers: Of its request, such as another `anthropic-beta`; None removes one.
        **parameters: In place of the first request's; None removes one.

    Raises:
        ValueError: An argument that makes no sense: *Fallback: name: value: remedy*.
    """

    __slots__ = ("headers", "model", "parameters", "patch")

    def __init__(
        self,
        model: str,
        /,
        *,
        patch: Callable[[Body], Body] | None = None,
        headers: Mapping[str, str | None] | None = None,
        **parameters: Any,
    ) -> None:
        if not isinstance(model, str) or not model:
            raise ValueError(f"Fallback: model: {model!r}: give the name of a model")
        if "stream" in parameters or "model" in parameters:
            name = "stream" if "stream" in parameters else "model"
            raise ValueError(
                f"Fallback: {name}: {parameters[name]!r}: leave it out: it is the call's, or given already"
            )
        self.model = model
        self.patch = patch
        self.headers = dict(headers or {})
        self.parameters = parameters

    def __repr__(self) -> str:
        return f"Fallback({self.model!r})"

    def request(self, first: APIRequest) -> APIRequest:
        """Return the request for this model, made from the first one; hops never compound."""
        given = first.options.json_data
        body = {**given, **self.parameters, "model": self.model} if isinstance(given, dict) else {}
        for name, value in self.parameters.items():
            if value is None:
                del body[name]
        if self.patch is not None:
            body = self.patch(body)
            if not isinstance(body, dict):
                raise TypeError(f"patch: {type(body).__name__}: return the whole body, a dict")
        headers: Any = {name: Omit() if value is None else value for name, value in self.headers.items()}
        made = altered(first, body=body, headers=headers or None)
        extra = made.options.extra_json
        if extra:
            # What the app gave as `extra_body` would outrank the patch.
            made.options.extra_json = {k: v for k, v in extra.items() if k != "model" and k not in self.parameters}
        return made


Chain: TypeAlias = str | Fallback | Iterable[str | Fallback]
"""Models to ask, best first."""


def read_chain(given: Chain) -> tuple[Fallback, ...]:
    """Return the models of a chain."""
    models: Iterable[str | Fallback] = [given] if isinstance(given, (str, Fallback)) else given
    return tuple(entry if isinstance(entry, Fallback) else Fallback(entry) for entry in models)


def names_of(chain: Iterable[Fallback]) -> str:
    """Return the models as text."""
    return " > ".join(fallback.model for fallback in chain)
