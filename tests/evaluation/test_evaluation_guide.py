"""The guide's commands run as written, and what it names exists."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rag.evaluation.metrics import METRICS
from tests.conftest import ROOT, clean_environment
from tests.readme.console import blocks_of, missing_line

GUIDE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_every_metric_is_explained() -> None:
    named = set(re.findall(r"`([a-z_]+)(?:@k|@10)?`", GUIDE)) | set(re.findall(r"`([^`\s]+)`", GUIDE))
    for name in METRICS:
        assert name in named or name.split("@")[0] in named, name


def test_the_headline_metrics_are_those_that_decide() -> None:
    listed = re.search(r"each headline metric \((.*?)\)", GUIDE, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`([^`]+)`", listed[1])) == {name for name, m in METRICS.items() if m.headline}


def test_the_python_example_imports_what_there_is() -> None:
    code = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert code is not None
    for node in ast.walk(ast.parse(code[1])):
        if isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=[alias.name for alias in node.names])
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_its_options_exist() -> None:
    from rag.cli.compare import command as compare
    from rag.cli.evaluate import export, judge, make, run_command

    commands = (compare, run_command, make, judge, export)
    known = {option for command in commands for one in command.params for option in one.opts}
    for option in re.findall(r"(?<![\w|-])(--[a-z][a-z-]*)", GUIDE):
        assert option in known, option


@pytest.mark.slow
def test_its_commands_run_as_written(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "data" / "sample", tmp_path / "data" / "sample")
    shutil.copytree(ROOT / "data" / "questions", tmp_path / "data" / "questions")
    for block in blocks_of(ROOT / "docs" / "evaluation.md"):
        for command in block.commands if not block.not_run else ():
            words = shlex.split(command.text)
            assert words[0] == "rag"
            done = subprocess.run(
                [sys.executable, "-m", "rag.cli", *words[1:]],
                cwd=tmp_path, env=clean_environment(RAG_OFFLINE="1"), capture_output=True, text=True, check=False,
            )  # fmt: skip
            printed = f"{done.stdout}\n{done.stderr}"
            assert done.returncode == command.exit_code, f"{command.text}\n{printed}"
            assert missing_line(command.output, printed) is None, f"{command.text}\n{printed}"
