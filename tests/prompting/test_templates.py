"""Templates as files: loading, checking with file and line, rendering, choosing examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.answering.context import cited_by_number, pack
from rag.answering.entailment import basis_of
from rag.answering.reply import parse_reply
from rag.errors import TemplateError, UsageError
from rag.prompting.catalogue import list_templates, load_template, new_template, read_template
from rag.prompting.template import Template
from rag.prompting.template_file import ExamplePassage
from rag.text.tokens import count_tokens
from rag.types import Passage

HELPERS = {"check", "check-answer", "condense", "rewrite", "hypothetical", "split", "rerank"}
"""Templates that do not answer."""
SHIPPED = HELPERS | {
    "few-shot",
    "one-shot",
    "zero-shot",
    "concise",
    "explain",
    "compare",
    "summarize",
    "translate",
    "table",
    "correct",
    "persona",
}
FIXED_PART = 450
"""Tokens that a prompt may have beside the passages and the question."""
MINIMAL = """\
description: A small one.
messages:
  en:
    system: |
      Answer in {language}.
      {reply_form}
    user: |
      {passages}

      {question}
"""


def block(passages: Sequence[ExamplePassage]) -> str:
    given = [Passage(i, p.file, p.page, p.page, p.text, ()) for i, p in enumerate(passages)]
    return pack(given, 10**6, count_tokens).block


def render(template: Template, question: str, language: str, **variables: str) -> list[tuple[str, str]]:
    chosen = template.language_for(language)
    chat = template.prompt(chosen, format_passages=block, count_tokens=count_tokens)
    values = template.fixed_values(chosen, language, variables)
    messages = chat.format_messages(
        **values, question=question, passages="THE PASSAGES", history="THE HISTORY"
    )
    return [(message.type, message.text) for message in messages]


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str) -> tuple[int | None, str]:
    with pytest.raises(TemplateError) as caught:
        read_template(write(folder, text))
    assert str(folder / "mine.yaml") in str(caught.value)
    return caught.value.line, str(caught.value)


def test_the_shipped_templates_are_all_there_and_sound() -> None:
    entries = list_templates()
    assert {entry.name for entry in entries} == SHIPPED
    for entry in entries:
        template = read_template(entry.path)
        assert template.description
        assert set(template.file.messages.given()) == {"en", "ko"}


@pytest.mark.parametrize("name", sorted(SHIPPED - HELPERS))
@pytest.mark.parametrize(("language", "question"), [("en", "When was it?"), ("ko", "그것은 언제였나요?")])
def test_every_answer_template_ends_with_the_question_after_the_passages(
    name: str, language: str, question: str
) -> None:
    messages = render(load_template(name), question, language)
    role, last = messages[-1]
    assert messages[0][0] == "system"
    assert role == "human"
    assert last.endswith(question)
    assert last.index("THE PASSAGES") < last.index(question)
    sentinel = "문서에_없음" if language == "ko" else "NOT_IN_DOCUMENTS"
    assert sentinel in messages[0][1]
    assert ("한국어" if language == "ko" else "English") in "".join(text for _, text in messages)
    assert "{" not in messages[0][1].replace('{"', "").replace("{}", "")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_worked_examples_keep_to_the_reply_form_and_quote_truly(language: str) -> None:
    examples = [e for e in load_template("few-shot").examples if e.language == language]
    declined, answered = examples
    given = [Passage(i, p.file, p.page, p.page, p.text, ()) for i, p in enumerate(answered.passages)]
    packed = pack(given, 10**6, count_tokens, numbered=True)
    draft = cited_by_number(parse_reply(answered.reply), packed.sentences)
    assert draft.sentences
    for sentence in draft.sentences:
        assert [basis_of(sentence.text, quote.text) for quote in sentence.quotes] in (
            ["quoted"],
            ["entailed"],
        )
    assert parse_reply(declined.reply).declined


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", sorted(SHIPPED - HELPERS))
def test_the_fixed_part_of_a_shipped_prompt_is_short(name: str, language: str) -> None:
    template = load_template(name)
    assert template.numbered
    assert sum(count_tokens(text) for _, text in render(template, "", language)) <= FIXED_PART


def test_the_beginning_of_a_prompt_does_not_depend_on_the_question() -> None:
    template = load_template("few-shot")
    first, second = (render(template, asked, "en") for asked in ("Who drew it?", "What does a stamp cost?"))
    assert first[:-1] == second[:-1]
    assert len(first) == 6


@pytest.mark.parametrize(
    ("reply", "extra", "output"),
    [
        ("It is red. [1]", "", "numbered"),
        ('It is red. [1: "red"]', "", "quoted"),
        ("It is red. [1]", "output: quoted\n", "quoted"),
        ("NOT_IN_DOCUMENTS", "output: json\n", "json"),
    ],
)
def test_the_form_of_the_reply_is_that_of_the_file_or_of_its_examples(
    tmp_path: Path, reply: str, extra: str, output: str
) -> None:
    path = tmp_path / "own.yaml"
    example = f"{{question: Q, passages: [{{file: a.pdf, page: 1, text: It is red.}}], reply: '{reply}'}}"
    path.write_text(f"{MINIMAL}{extra}examples:\n  inline: [{example}]\n", encoding="utf-8")
    assert read_template(path).output == output


def own_examples(tmp_path: Path) -> Template:
    """A template with examples of its own, one of them kept, chosen by likeness to the question."""
    asked = (
        "Who painted the ceiling?",
        "How did revenue change in 2018?",
        "Which steps are needed for the pump?",
    )
    lines = "".join(
        f"    - {{question: '{q}', keep: {str(i == 0).lower()}, reply: NOT_IN_DOCUMENTS,"
        " passages: [{file: a.pdf, page: 1, text: A text.}]}\n"
        for i, q in enumerate(asked)
    )
    path = tmp_path / "nearest.yaml"
    rule = f"examples:\n  number: 2\n  choose: nearest\n  inline:\n{lines}"
    path.write_text(MINIMAL + rule, encoding="utf-8")
    return read_template(path)


def test_nearest_examples_stand_last_and_the_kept_ones_always_show(tmp_path: Path) -> None:
    template = own_examples(tmp_path)
    roles = render(template, "How did the revenue of the company change in 2019?", "en")
    human = [text for role, text in roles if role == "human"]
    assert len(human) == 3
    assert "How did revenue change" in human[-2] or "How did revenue change" in human[0]
    assert any("Who painted" in text for text in human[:-1])
    other = render(template, "Which steps come before the pump is started?", "en")
    assert any("Which steps are needed" in text for _, text in other)


def test_examples_are_chosen_by_embedding_when_one_is_given(tmp_path: Path) -> None:
    template = own_examples(tmp_path)

    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.0] if "pump" in text or "engine" in text else [0.0, 1.0] for text in texts]

    chat = template.prompt("en", format_passages=block, count_tokens=count_tokens, embed=embed)
    values = template.fixed_values("en", "en")
    messages = chat.format_messages(**values, question="Start the engine?", passages="P")
    asked = [m.text for m in messages if m.type == "human"]
    assert any("pump" in text for text in asked[:-1])


def test_a_token_budget_leaves_examples_out(tmp_path: Path) -> None:
    passage = f"{{file: a.pdf, page: 1, text: {'word ' * 60}}}"
    reply = "'yes [1: \"word\"]'"
    examples = "\n".join(
        f"    - {{question: 'q{i}?', reply: {reply}, passages: [{passage}]}}" for i in range(5)
    )
    text = MINIMAL + f"examples:\n  number: 5\n  max_tokens: 200\n  inline:\n{examples}\n"
    messages = render(read_template(write(tmp_path, text)), "Q?", "en")
    assert sum(role == "ai" for role, _ in messages) == 2


def test_examples_of_the_other_language_stay_out() -> None:
    text = "".join(text for _, text in render(load_template("few-shot"), "언제 열었나요?", "ko"))
    assert "Aldmoor" not in text
    assert "읍지" in text


def test_a_template_in_one_language_serves_the_other(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, MINIMAL))
    assert "Answer in Korean." in render(template, "무엇인가요?", "ko")[0][1]
    assert "Answer in the language of the question." in render(template, "¿Qué?", "other")[0][1]


def test_sampling_reaches_the_model_by_the_names_of_langchain(tmp_path: Path) -> None:
    text = MINIMAL + (
        "sampling: {temperature: 0.3, top_p: 0.9, max_tokens: 50, stop: END, presence_penalty: 1,\n"
        "  frequency_penalty: -1, seed: 7}\n"
    )
    assert read_template(write(tmp_path, text)).sampling.arguments() == {
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 50,
        "stop": ["END"],
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "seed": 7,
    }


def test_own_variables_have_defaults_and_can_be_replaced(tmp_path: Path) -> None:
    template = load_template("persona")
    assert "patient archivist" in render(template, "Who?", "en")[0][1]
    assert "기록 관리사" in render(template, "누구?", "ko")[0][1]
    assert "a gruff sailor" in render(template, "Who?", "en", persona="a gruff sailor")[0][1]
    with pytest.raises(UsageError, match="did you mean `persona`"):
        render(template, "Who?", "en", persone="x")


def test_passages_and_values_are_never_read_as_templates() -> None:
    template = load_template("zero-shot")
    chat = template.prompt("en", format_passages=block, count_tokens=count_tokens)
    values = template.fixed_values("en", "en")
    last = chat.format_messages(**values, question="{passages}", passages="{question} {0.__class__}")[-1]
    assert "{question} {0.__class__}" in last.text
    assert last.text.endswith("{passages}")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            MINIMAL.replace("{reply_form}", "{reply_from}"),
            6,
            "`{reply_from}` is not a known variable: did you mean",
        ),
        (MINIMAL.replace("      {passages}\n", "      here\n"), 7, "lacks the variable `{passages}`"),
        (
            MINIMAL.replace("{passages}\n\n      {question}", "{question}\n\n      {passages}"),
            7,
            "must be the last",
        ),
        (MINIMAL.replace("Answer in", "Answer } in"), 5, "a brace that is not part"),
        (MINIMAL.replace("{reply_form}", "{reply_form!r}"), 6, "a brace that is not part"),
        (MINIMAL.replace("{reply_form}", "{reply_form.x}"), 6, "a brace that is not part"),
        (MINIMAL + "samplng: {}\n", 11, "`samplng` is not a known field: did you mean `sampling`"),
        (MINIMAL + "sampling:\n  temperature: 0\n  tempreature: 3\n", 13, "did you mean `temperature`"),
        (MINIMAL + "sampling:\n  temperature: 5\n", 12, "less than or equal to 2"),
        (MINIMAL + "sampling:\n  stop: [a, b, c, d, e]\n", 12, "at most 4"),
        (MINIMAL + "language: fr\n", 11, "'auto', 'en' or 'ko'"),
        (MINIMAL + "description: again\n", 11, "`description` is given twice"),
        (MINIMAL.replace("description: A small one.\n", ""), 1, "`description` is missing"),
        (MINIMAL + "examples:\n  number: 2\n", 11, "give either `file` or `inline`"),
        (MINIMAL + "examples:\n  file: none.yaml\n", 12, "does not exist"),
        ("description: x\nmessages: {}\n", 2, "give messages in `en`"),
        ("description: [x\n", 2, "not valid YAML"),
        (MINIMAL.replace("description: A", "description: A: a"), 1, "put text with a colon in quotes"),
        ("description: !!python/object/apply:os.system [ls]\n", 1, "description"),
        ("- a\n", 1, "a map of fields"),
    ],
)
def test_a_fault_is_one_sentence_with_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    found, message = fault(tmp_path, text)
    assert words in message
    assert found == line
    assert "\n" not in message


def test_faults_of_examples_point_into_their_own_file(tmp_path: Path) -> None:
    text = MINIMAL + "examples:\n  file: ex.yaml\n"
    beside = (
        "examples:\n"
        "  - question: Who?\n"
        "    passages: [{file: a.pdf, page: 1, text: Ann did it.}]\n"
        "    reply: |\n"
        '      Ann. [2: "Ann did it."]\n'
    )
    write(tmp_path, beside, "ex.yaml")
    with pytest.raises(TemplateError, match="cites passage 2") as caught:
        read_template(write(tmp_path, text))
    assert caught.value.file is not None
    assert caught.value.file.endswith("ex.yaml")
    assert caught.value.line == 4
    write(tmp_path, beside.replace("page: 1", "page: 0"), "ex.yaml")
    with pytest.raises(TemplateError) as caught:
        read_template(tmp_path / "mine.yaml")
    assert caught.value.line == 3


def test_a_small_file_cannot_unfold_into_an_endless_one(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for previous, name in zip("abcdefg", "bcdefgh", strict=True):
        bomb += f"{name}: &{name} [{', '.join('*' + previous for _ in range(9))}]\n"
    assert "far too many values" in fault(tmp_path, bomb)[1]


def test_a_name_that_is_not_known_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean `concise`"):
        load_template("concice")
    with pytest.raises(UsageError, match="no template file"):
        load_template("./nowhere.yaml")
    with pytest.raises(UsageError, match="does not exist"):
        list_templates(tmp_path / "missing")


def test_the_users_folder_adds_to_and_hides_the_shipped_ones(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL, "concise.yaml")
    write(tmp_path, MINIMAL, "house-style.yml")
    entries = {entry.name: entry.shipped for entry in list_templates(tmp_path)}
    assert entries["concise"] is False
    assert entries["house-style"] is False
    assert entries["few-shot"] is True
    assert load_template("concise", tmp_path).description == "A small one."


def test_the_fingerprint_follows_the_content_and_not_the_layout(tmp_path: Path) -> None:
    first = read_template(write(tmp_path, MINIMAL))
    moved = read_template(write(tmp_path, "# a remark\n" + MINIMAL.replace("small", "little"), "b.yaml"))
    changed = read_template(write(tmp_path, MINIMAL.replace("Answer in", "Reply in"), "c.yaml"))
    assert first.fingerprint == moved.fingerprint
    # without a model it counts sentences, and no prompt changes
    assert (
        first.fingerprint
        == read_template(write(tmp_path, MINIMAL + "\nsentences: 1\n", "d.yaml")).fingerprint
    )
    assert first.fingerprint != changed.fingerprint
    assert len(first.fingerprint) == 64


def test_new_writes_a_commented_template_that_is_sound(tmp_path: Path) -> None:
    path = new_template("mine", tmp_path / "prompts")
    template = read_template(path)
    assert template.name == "mine"
    assert path.read_text(encoding="utf-8").count("#") > 10
    assert render(template, "When?", "en")[-1][1].endswith("When?")
    with pytest.raises(UsageError, match="exists already"):
        new_template("mine", tmp_path / "prompts")
    for bad in ("../escape", "a/b", "x.yaml", ""):
        with pytest.raises(UsageError, match="cannot name a template"):
            new_template(bad, tmp_path)
