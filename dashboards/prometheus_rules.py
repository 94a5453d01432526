"""dashboards/prometheus-rules.yml as text.

≠ which rules.
"""

from __future__ import annotations

import yaml

from . import default_rules, own_rules

FILE = "prometheus-rules.yml"

_HEAD = """\
# Claxon's default rules for Prometheus, as far as counters can say them, and rules about Claxon itself.
# Written by `python -m dashboards.build`; change alerts/default_rules.py or dashboards/. Needs Prometheus 2.42.
# What they cannot see: docs/howto/prometheus-rules.md.
"""


class _Text(str):
    """A text of several lines, which is written as it is."""


def _represent(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


class _Dumper(yaml.SafeDumper):
    """Writes lists as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 — PyYAML's signature
        """Indent lists below their name."""
        super().increase_indent(flow, False)


_Dumper.add_representer(_Text, _represent)


def render() -> str:
    """Return the file."""
    groups = [*default_rules.groups(), own_rules.group()]
    for group in groups:
        group["rules"] = [{**rule, "expr": _Text(rule["expr"])} for rule in group["rules"]]
    return _HEAD + yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
