"""YAML that is nested too deeply is an error, not the end of the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import SettingsError, TemplateError
from rag.evaluation.json_prompt import load_prompt
from rag.prompting.catalogue import load_template
from rag.retrieval.glossary import load_glossary


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError):
        load_template(str(path))
    with pytest.raises(TemplateError):
        load_prompt(path, ["question"])
    with pytest.raises(SettingsError):
        load_glossary(path)
