"""The templates of messages: text with named fields, `${name}`. There are no expressions.

A line whose fields are all empty is left out. `$$` is a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

FIELD = re.compile(r"\$(?:(?P<escape>\$)|\{(?P<name>[a-z_]{1,40})\}|(?P<wrong>.?))", re.DOTALL)


def find_template_problems(template: str, names: Collection[str]) -> list[str]:
    """What is wrong with the template, one sentence each."""
    problems = []
    for match in FIELD.finditer(template):
        name = match["name"]
        if match["wrong"] is not None:
            problems.append(f"{match.group()!r}: write ${{name}} for a field, or $$ for a dollar sign")
        elif name and name not in names:
            problems.append(f"${{{name}}} is not a field; known are {', '.join(names)}")
    return problems


def render_template(template: str, values: Mapping[str, str]) -> str:
    """The text with the values, each put in as it is. An unknown field is empty."""
    lines = (_render_line(line, values) for line in template.strip("\n").split("\n"))
    return "\n".join(line for line in lines if line is not None)


def _render_line(line: str, values: Mapping[str, str]) -> str | None:
    names = [match["name"] for match in FIELD.finditer(line) if match["name"]]
    if names and not any(values.get(name) for name in names):
        return None
    return FIELD.sub(lambda match: "$" if match["escape"] else values.get(match["name"] or "", ""), line)
