"""A local entailment model as second checker, through the command line: real transformers, random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

QUOTE = "MV Tern touched the breakwater at Greyholm while berthing in a squall"
KOREAN_QUOTE = "이사와 감사의 임기는 3년이며"
OPEN = "While it came alongside in a squall at Greyholm, MV Tern touched the breakwater."
"""A paraphrase that rules leave open."""
DENIED = "MV Tern never touched the breakwater at Greyholm while berthing in a squall."
KOREAN_OPEN = "이사와 감사는 임기가 3년이고, 지금 임원은 2025년 정기총회일까지 맡습니다."
NLI = ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]

pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture
def claims(rag: Run, workdir: Path, tmp_path: Path) -> Path:
    """Claims over two small documents, indexed in the working folder."""
    documents = workdir / "documents"
    documents.mkdir()
    (documents / "ferry.md").write_text(f"{QUOTE}. Nobody was hurt.\n", encoding="utf-8")
    rules = f"{KOREAN_QUOTE}, 현 임원의 임기는 2025년 정기총회일까지입니다.\n"
    (documents / "규정.md").write_text(rules, encoding="utf-8")
    assert rag("ingest", "documents").code == 0
    english = {"quotes": [{"quote": QUOTE, "file": "ferry.md", "page": 1}]}
    korean = {"quotes": [{"quote": KOREAN_QUOTE, "file": "규정.md"}]}
    lines = [{"sentence": OPEN, **english}, {"sentence": DENIED, **english}]
    lines += [{"sentence": KOREAN_OPEN, **korean}]
    path = tmp_path / "claims.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def _model(folder: Path, labels: list[str], chosen: int) -> str:
    from tests.providers.exaone import build_classifier

    return f"hf:{build_classifier(folder, labels, chosen)}"


@pytest.mark.parametrize(
    ("labels", "chosen", "verified"),
    [
        (NLI, 2, True),
        (["entailment", "not_entailment"], 0, True),
        (["not_entailment", "entailment"], 0, False),
        (NLI, 1, False),
    ],
)
def test_the_label_for_entailment_decides_what_rules_leave_open(
    rag: Run, claims: Path, tmp_path: Path, labels: list[str], chosen: int, verified: bool
) -> None:
    model = _model(tmp_path / "model", labels, chosen)
    done = rag("check", str(claims), "--check", model, "--offline", "--json")
    assert done.code == 0, done.err
    english, denied, korean = (json.loads(line) for line in done.out.splitlines())
    expected = ("verified", "checked_by_model") if verified else ("weak", "not_told_by_code")
    assert (english["support"], english["reason"]) == expected
    assert (korean["support"], korean["reason"]) == expected
    assert denied["support"] != "verified"


def test_a_pair_that_is_too_long_to_be_read_whole_is_not_approved(tmp_path: Path) -> None:
    from rag.providers.huggingface import connect_entailment
    from rag.providers.specs import parse_spec
    from rag.settings import load_settings

    settings = load_settings({"offline": True}, env={}, dotenv_path=None)
    model = connect_entailment(parse_spec(_model(tmp_path / "model", NLI, 2)), settings)
    pairs = [("a b c", "a b"), ("long words " * 200, "long words"), ("d e f", "e")]
    first, second, third = model.probabilities(pairs)
    assert second == 0.0
    assert min(first, third) > 0.99


def test_models_that_cannot_check_are_named(
    rag: Run, claims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = _model(tmp_path / "nameless", ["LABEL_0", "LABEL_1"], 1)
    missing = f"hf:{tmp_path / 'nowhere'}"
    for model, words in ((nameless, "LABEL_1"), (missing, "nowhere")):
        done = rag("check", str(claims), "--check", model, "--offline", "--json")
        assert done.code == 1
        assert done.out == ""
        assert model in done.err
        assert words in done.err
    unread = f"hf:{tmp_path / 'unread'}"
    monkeypatch.setitem(sys.modules, "transformers", None)
    done = rag("check", str(claims), "--check", unread, "--json")
    assert done.code == 1
    assert "pagequote[hf]" in done.err
