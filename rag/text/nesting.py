"""YAML from people is looked through before it is read: PyYAML overflows the stack on deep nesting in C."""

from __future__ import annotations

from typing import Any, cast

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where PyYAML was built with libyaml."""
_DEEPEST = 50
"""Nested lists and mappings; a template or glossary has five."""
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def safe_load(text: str) -> Any:
    """The plain data of a YAML text. Raises yaml.YAMLError, also for one that is nested too deeply."""
    check_nesting(text)
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - one of PyYAML's two safe loaders


def check_nesting(text: str) -> None:
    """Raise yaml.MarkedYAMLError, with the place, for YAML that is nested deeper than anything people write."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):  # a parser of events keeps no stack of calls
        if isinstance(event, _OPENING):
            depth += 1
            if depth > _DEEPEST:
                problem = f"lists or mappings are nested deeper than {_DEEPEST}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=cast("Any", event.start_mark))
        elif isinstance(event, _CLOSING):
            depth -= 1
