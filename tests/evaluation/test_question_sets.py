"""Question sets in every form, and errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.errors import QuestionSetError
from rag.evaluation.question_sets import Evidence, fingerprint, load_questions, write_questions


def save(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


LINE = {
    "id": "a1",
    "question": "What was the dividend in 2021?",
    "answers": ["1.25 dollars", "$1.25"],
    "answerable": True,
    "evidence": [{"file": "reports/acme.pdf", "page": 7, "text": "a dividend of $1.25"}],
    "kind": "figure",
}
KOREAN = {"id": "k1", "question": "배당금은 얼마인가?", "answers": [], "answerable": False, "evidence": []}


def test_json_lines_array_and_written_form_agree(tmp_path: Path) -> None:
    lines = save(tmp_path, "a.jsonl", f"{json.dumps(LINE)}\n\n{json.dumps(KOREAN, ensure_ascii=False)}\n")
    array = save(tmp_path, "a.json", json.dumps([LINE, KOREAN], indent=2))
    questions = load_questions(lines)
    assert questions == load_questions(array)
    assert questions[0].answers == ("1.25 dollars", "$1.25")
    assert questions[0].evidence == (Evidence("reports/acme.pdf", 7, "a dividend of $1.25"),)
    assert [(q.language, q.answerable, q.kind) for q in questions] == [
        ("en", True, "figure"),
        ("ko", False, ""),
    ]
    write_questions(questions, tmp_path / "again.jsonl")
    assert load_questions(tmp_path / "again.jsonl") == questions
    assert fingerprint(questions) != fingerprint(questions[::-1])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_save_it(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [
        ["id", "question", "answers", "answerable", "file", "page"],
        ["1", '"수도는\n어디인가?"', "서울|서울시", "true", "한국.pdf", "3"],
        ["2", "Who?", "", "no", "", ""],
    ]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    first, second = load_questions(save(tmp_path, "q.csv", text.encode(encoding)))
    assert first.question == "수도는\n어디인가?"
    assert first.answers == ("서울", "서울시")
    assert first.evidence == (Evidence("한국.pdf", 3),)
    assert (second.id, second.answers, second.answerable, second.evidence) == ("2", (), False, ())


def test_csv_with_json_cells(tmp_path: Path) -> None:
    text = 'question,answers,evidence\nHow many?,"[""4 | 5"", 4]","[{""file"": ""a.pdf"", ""page"": 2}]"\n'
    (question,) = load_questions(save(tmp_path, "q.csv", text))
    assert question.id == "q1"
    assert question.answers == ("4 | 5", "4")
    assert question.evidence == (Evidence("a.pdf", 2),)


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Normans",
            "paragraphs": [
                {
                    "context": "The Normans gave their name to Normandy, a region in France.",
                    "qas": [
                        {
                            "id": "s1",
                            "question": "In what country is Normandy?",
                            "answers": [
                                {"text": "France", "answer_start": 53},
                                {"text": "France", "answer_start": 53},
                            ],
                            "is_impossible": False,
                        },
                        {"id": "s2", "question": "Who ruled Spain?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}


def test_squad(tmp_path: Path) -> None:
    known, unknown = load_questions(save(tmp_path, "dev-v2.0.json", json.dumps(SQUAD)))
    assert (known.id, known.answers, known.answerable) == ("s1", ("France",), True)
    assert known.evidence[0].file == "Normans"
    assert known.evidence[0].page is None
    assert "region in France" in known.evidence[0].text
    assert (unknown.answers, unknown.answerable, unknown.evidence) == ((), False, ())


def test_korquad_2_has_no_paragraphs(tmp_path: Path) -> None:
    qa = {"id": "k", "question": "어디인가?", "answer": {"text": "광주", "answer_start": 0}}
    raw = {"data": [{"title": "린스룽", "context": "광주에서 도장을 열었다.", "qas": [qa]}]}
    (question,) = load_questions(save(tmp_path, "k.json", json.dumps(raw, ensure_ascii=False)))
    assert (question.answers, question.language) == (("광주",), "ko")
    assert question.evidence == (Evidence("린스룽", None, "광주에서 도장을 열었다."),)


def test_financebench_counts_pages_from_zero(tmp_path: Path) -> None:
    raw = {
        "financebench_id": "f1",
        "question": "What is the capital expenditure?",
        "answer": "$1577.00",
        "doc_name": "3M_2018_10K",
        "question_type": "metrics-generated",
        "evidence": [{"evidence_text": "Capex", "doc_name": "3M_2018_10K", "evidence_page_num": 59}],
    }
    (question,) = load_questions(save(tmp_path, "f.jsonl", json.dumps(raw)))
    assert (question.id, question.answers, question.kind) == ("f1", ("$1577.00",), "metrics-generated")
    assert question.evidence == (Evidence("3M_2018_10K.pdf", 60, "Capex"),)


@pytest.mark.parametrize(
    ("raw", "evidence"),
    [
        ({"question": "Q?", "ground_truth": "A", "contexts": ["found"]}, ()),
        ({"question": "Q?", "ground_truths": ["A"]}, ()),
        (
            {"user_input": "Q?", "reference": "A", "reference_contexts": ["gold"], "retrieved_contexts": []},
            (Evidence("", None, "gold"),),
        ),
    ],
)
def test_ragas(tmp_path: Path, raw: dict[str, object], evidence: tuple[Evidence, ...]) -> None:
    (question,) = load_questions(save(tmp_path, "r.jsonl", json.dumps(raw)))
    assert (question.question, question.answers, question.evidence) == ("Q?", ("A",), evidence)


def broken(**change: object) -> str:
    return json.dumps({**LINE, "id": "z", **change})


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("q.jsonl", f"{json.dumps(LINE)}\n\nnot json", 3, "not JSON"),
        ("q.jsonl", f"{json.dumps(LINE)}\n{json.dumps(LINE)}", 2, "used before, on line 1"),
        ("q.jsonl", f"{json.dumps(LINE)}\n{broken(question='  ')}", 2, "`question`"),
        ("q.jsonl", f"{json.dumps(LINE)}\n[1]", 2, "must be an object"),
        ("q.jsonl", broken(evidence=[{"file": "a.pdf", "page": 0}]), 1, "counted from 1"),
        ("q.jsonl", broken(evidence=[{"file": "a.pdf", "page": True}]), 1, "counted from 1"),
        ("q.jsonl", broken(answers=[{"text": "x"}]), 1, "`answers` must hold texts"),
        ("q.jsonl", broken(answerable="perhaps"), 1, "true or false"),
        ("q.jsonl", '{"id": "z", "question": "Q?", "anwsers": ["x"]}', 1, "did you mean 'answers'"),
        ("q.json", json.dumps([LINE, {"id": "b"}], indent=1), 19, "`question`"),
        ("q.json", '[{"question": "Q?"},\n\n oops]', 3, "not JSON"),
        ("q.json", "{\n  oops\n}", 2, "not JSON"),
        ("q.csv", 'id,question\n1,"two\nlines"\n2,\n', 4, "`question`"),
        ("q.csv", "id,question\n1,a,b\n", 2, "more cells"),
        ("q.csv", 'question,answers\nQ?,"[1"\n', 2, "`answers` is not JSON"),
        ("q.jsonl", "", None, "no question"),
        ("q.json", "[" * 100_000, None, "nested too deeply"),
        ("q.jsonl", b"\xff\x00\xff\xa0", None, "neither UTF-8"),
    ],
)
def test_errors_name_the_place(
    tmp_path: Path, name: str, text: str | bytes, line: int | None, words: str
) -> None:
    path = save(tmp_path, name, text)
    with pytest.raises(QuestionSetError, match=words) as caught:
        load_questions(path)
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_errors_in_squad_name_the_line_of_the_question(tmp_path: Path) -> None:
    raw = json.loads(json.dumps(SQUAD))
    raw["data"][0]["paragraphs"][0]["qas"][1]["question"] = None
    text = json.dumps(raw, indent=2)
    with pytest.raises(QuestionSetError) as caught:
        load_questions(save(tmp_path, "dev.json", text))
    line = caught.value.line
    assert line is not None
    assert text.split("\n")[line].strip() == '"id": "s2",'


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match=r"nowhere\.jsonl: cannot be read"):
        load_questions(tmp_path / "nowhere.jsonl")
