"""YAML from people is looked through before it is read: libyaml's reader in C overflows the stack on deep nesting."""

from __future__ import annotations

from typing import Any, cast

import yaml

_DEEPEST = 50
"""Nested lists and mappings; a template or glossary has five."""
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def check_nesting(text: str) -> None:
    """Raise yaml.MarkedYAMLError, with the place, for YAML that is nested deeper than anything people write."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):  # a parser of events keeps no stack of calls
        if isinstance(event, _OPENING):
            depth += 1
            if depth > _DEEPEST:
                problem = f"lists or mappings are nested deeper than {_DEEPEST}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=cast("Any", event.start_mark))
        elif isinstance(event, _CLOSING):
            depth -= 1
