"""The built-in answerer on the sample documents, and on small cases made for one rule each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answering.evidence import THRESHOLD, assess
from rag.answering.extractive import answer, states_figure
from rag.answering.question import analyse, lacks_value
from rag.answering.verification import check_draft
from rag.retrieval.retriever import HybridRetriever
from rag.store import Index
from rag.types import Support
from tests.answering.shelf import Shelf
from tests.conftest import SAMPLE_QUESTIONS

SHELF = Shelf()


@pytest.mark.parametrize(
    ("question", "first"),
    [
        (
            "When was the bridge opened to traffic?",
            "The Harbour Bridge was opened to traffic on 24 October 1931.",
        ),
        (
            "How much did the bridge cost?",
            "The Harbour Bridge was opened to traffic on 24 October 1931. It cost 60 million dollars, of which the"
            " port paid a third.",
        ),
        ("How many lanes cross the river?", "Eight lanes cross the river on two decks."),
        ("What is the ferry fare?", "The fare is 4.50 pounds."),
        ("한빛대교는 언제 개통되었나요?", "한빛대교는 1987년 5월 12일에 개통되었다."),
        ("대교의 길이는 몇 m인가요?", "왕복 6차로이며 길이는 1,240m이다."),
        ("대교의 통행료는 언제 없어졌나요?", "통행료는 1999년에 없어졌다."),
    ],
)
def test_the_sentence_that_answers_comes_first(question: str, first: str) -> None:
    passages = SHELF.passages(
        ("bridge.pdf", 1), ("bridge.pdf", 2), ("ferry.pdf", 1), ("ferry.pdf", 2), ("대교.pdf", 1)
    )
    draft = answer(question, passages)
    assert draft.sentences[0].text == first
    assert len(draft.sentences) == 1


@pytest.mark.parametrize(
    ("question", "sentence", "lacking"),
    [
        ("How many ferries ran in 2019?", "In 2019, ferries ran all year.", True),
        ("How many ferries ran in 2019?", "In 2019 2 ferries ran.", False),
        ("Do you know when the ferry leaves?", "The ferry leaves from the east gate.", True),
        ("Do you know when the ferry leaves?", "The ferry leaves at 9:30.", False),
        ("What happens when the ferry leaves?", "The ferry leaves from the east gate.", False),
        (
            "How many passengers fit in?",
            "The trip takes 2 to 3 hours, whatever the number of passengers.",
            True,
        ),
        ("How many passengers fit in?", "Forty are allowed, and the trip takes 2 hours.", False),
        ("선착장은 몇 군데인가요?", "섬에는 선착장이 세 곳 있다.", False),
        ("표를 몇 번부터 받나요?", "표는 2시간 동안 받는다.", True),
        ("배에서 무엇을 볼 수 있나요?", "갑판에서는 등대를 볼 수 있다.", False),
        ("What does a lost token cost?", "Each lost token costs the player 3 coins.", False),
        ("When does the ferry leave?", "The ferry leaves at half past nine in the evening.", False),
        ("배는 언제 떠나나요?", "배는 저녁 아홉 시에 떠난다.", False),
        ("When does the ferry leave?", "The ferry leaves from one side.", True),
        ("What happened to the rate of crossings?", "Crossings have become rare.", False),
        ("In which area does the ferry run?", "The ferry runs between the Greyholm islands.", False),
        ("How many names did the petition on the website get?", "It got 5,100 names.", False),
        ("What is the website of the ferry?", "The ferry has a website.", True),
        (
            "How many boats can be hired at once?",
            "Boats are hired together, if nobody else needs them [10].",
            True,
        ),
        ("When was the numeric type added?", "A numeric scale is in the range -1000 to 1000.", True),
        ("부두는 누가 만들었나요?", "물이 들면 부두는 자동으로 만들어진다.", True),
    ],
)
def test_the_value_asked_for_is_one_that_the_question_lacks(
    question: str, sentence: str, lacking: bool
) -> None:
    assert lacks_value(analyse(question), sentence) is lacking


MANUAL = Shelf(
    {
        "pump.pdf": [
            "The keepalive option is set in a file; see the description of keepalive below.\n\n"
            "Options\n\nkeepalive\n\nSend a packet every ten minutes so that the valve stays open.\n\n"
            "MAXFLOW The greatest flow in litres a minute. When it is not set, 40 is taken.\n\n"
            "purgectl is started by the service. To save water, purgectl closes the inlet while nobody draws.\n\n"
            "A back-flush is a short reversal of the flow that frees the filter. During a back-flush the lamp is red."
        ],
        "펌프.pdf": [
            "역세척을 하는 동안에는 표시등이 붉게 켜진다. 역세척은 물의 흐름을 거꾸로 돌려 여과기를 씻는 일이다.\n\n"
            "조절기의 전원을 끄고 조절기를 분리한다. 조절기는 입구의 압력을 일정하게 유지한다."
        ],
    }
)


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("What does the keepalive option do?", "Send a packet every ten minutes"),
        ("What does purgectl do?", "purgectl closes the inlet"),
        ("What is a back-flush?", "is a short reversal of the flow"),
        ("역세척이란 무엇인가요?", "여과기를 씻는 일이다"),
        ("조절기는 무슨 일을 하나요?", "압력을 일정하게 유지한다"),
    ],
)
def test_what_a_thing_is_or_does_is_told_by_the_sentence_about_it(question: str, quoted: str) -> None:
    passages = [MANUAL.passage("펌프.pdf" if question[0] >= "가" else "pump.pdf", 1)]
    (sentence,) = answer(question, passages).sentences
    assert quoted in sentence.text


DEFINITIONS = (
    "-b, --bundle: Sew the pages together. It cannot be undone with -B in one call.\n\n"
    "-B, --blank: Leave the last page white.\n\n"
    "-w number, --wait=number: Rest between pages. The number must be greater than 0. The default value"
    " is 8.\n\n"
    "--no-wait: Sew the next page at once.\n\n"
    "간격: 두 쪽 사이에 쉬는 시간을 정한다. 단위는 분이다. 기본값은 3이다."
)


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("What does the option -B do?", "-B, --blank: Leave the last page white."),
        ("What does -b do?", "-b, --bundle: Sew the pages together."),
        ("What does --blank do?", "-B, --blank: Leave the last page white."),
        (
            "What is the default of --wait?",
            "-w number, --wait=number: Rest between pages. The number must be greater than 0. The default"
            " value is 8.",
        ),
        (
            "간격의 기본값은 얼마인가요?",
            "간격: 두 쪽 사이에 쉬는 시간을 정한다. 단위는 분이다. 기본값은 3이다.",
        ),
    ],
)
def test_a_term_is_answered_from_its_own_description(question: str, quoted: str) -> None:
    (sentence,) = answer(question, [Shelf({"a.html": [DEFINITIONS]}).passage("a.html", 1)]).sentences
    assert sentence.text == quoted


@pytest.mark.parametrize(
    ("question", "stands"),
    [
        ("What does %Q mean?", True),
        ("What does %q mean?", False),
        ("What does the ** operator do?", False),
    ],
)
def test_a_directive_or_operator_must_stand_in_the_sentence(question: str, stands: bool) -> None:
    text = (
        "Directive | Meaning\n%Q | Quarter as a number\n%W | Week as a number\n\n"
        "Operator | Result\nx // y | the quotient rounded down\nx - y | the difference"
    )
    assert (assess(question, [Shelf({"a.html": [text]}).passage("a.html", 1)]).score > THRESHOLD) is stands


def test_a_year_before_a_comma_and_initials_are_no_other_thing() -> None:
    shelf = Shelf({"a.txt": ["In the United States the fare fell in 2014, and rose in 2015."]})
    ranked = assess("What happened to the U.S. fare in 2014?", [shelf.passage("a.txt", 1)]).ranked
    assert ranked[0].features.other == 0


def test_a_word_for_a_kind_of_thing_may_be_part_of_its_name() -> None:
    shelf = Shelf(
        {"a.pdf": ["A fuel system is a tank with its pipes. A file system is a tree of named records."]}
    )
    (sentence,) = answer("What is a file system?", [shelf.passage("a.pdf", 1)]).sentences
    assert sentence.text == "A file system is a tree of named records."


def test_a_list_is_answered_with_more_than_one_sentence() -> None:
    shelf = Shelf(
        {"a.pdf": ["Employees are entitled to 20 days of leave. Employees are entitled to a locker."]}
    )
    answered = answer("What are employees entitled to?", [shelf.passage("a.pdf", 1)])
    assert len(answered.sentences) == 2


@pytest.mark.parametrize(
    ("question", "sentence", "lacking"),
    [
        ("When do I have to replace the pads?", "Replace them when less than 1 mm is left.", False),
        ("필터는 언제 갈아야 하나요?", "표시등이 켜지면 필터를 갈아야 한다.", False),
        ("When was the bridge built?", "It was built after the old one fell.", True),
        ("When do I have to replace the pads?", "The pads are made of cork.", True),
    ],
)
def test_a_condition_tells_when_something_is_to_be_done(question: str, sentence: str, lacking: bool) -> None:
    assert lacks_value(analyse(question), sentence) is lacking


@pytest.mark.parametrize(
    ("question", "text", "answers"),
    [
        (
            "Can I bring a dog on the lower deck?",
            "The lower deck is the quietest place of the ferry for a dog. Dogs must stay on the upper deck.",
            ["Dogs must stay on the upper deck."],
        ),
        (
            "수하물을 갑판에 두어도 되나요?",
            "갑판의 수하물은 파도에 젖는다. 갑판에 수하물을 둘 수 없다.",
            ["갑판에 수하물을 둘 수 없다."],
        ),
        (
            "How do I change the password?",
            "The password protects the settings of the pump.\n\nTo change the password:\n\n1. Press the blue key.\n\n"
            "2. Enter the new one.\n\nThe password has eight letters.",
            ["To change the password:", "1. Press the blue key.", "2. Enter the new one."],
        ),
        (
            "How do I drain the tank?",
            "Draining the tank\n\n1. Close the inlet.\n\n2. Put a bucket under the tank and drain it.\n\n"
            "3. Shut the tap.\n\nThe tank is made of steel.",
            ["1. Close the inlet.", "2. Put a bucket under the tank and drain it.", "3. Shut the tap."],
        ),
        (
            "Which option keeps the valve open?",
            "Options of the valve\n\n-k, --keep-open\n\nThe valve is not closed after the flow ends.\n\n-q\n\n"
            "Print nothing, be the valve open or closed.",
            ["-k, --keep-open The valve is not closed after the flow ends."],
        ),
        (
            "How do I change the filter?",
            "Filters and their care\n\nYou can change the filter without tools.",
            ["You can change the filter without tools."],
        ),
        (
            "How many litres does the tank take?",
            "The small tray may be left out. The tank takes 9 litres that way.",
            ["The small tray may be left out. The tank takes 9 litres that way."],
        ),
        (
            "도서실 이용료는 얼마인가요?",
            "도서실은 오전 9시에 연다. 수영장은 정오에 열고 이용료는 9,000원이다. "
            "도서실 회원은 해마다 2,000원을 낸다.",
            ["도서실 회원은 해마다 2,000원을 낸다."],
        ),
        (
            "Which settings limit the flow?",
            "The following settings limit the flow:\n\nMAXFLOW limits the flow to 40 litres.",
            ["MAXFLOW limits the flow to 40 litres."],
        ),
    ],
)
def test_rules_steps_and_what_opens_nothing(question: str, text: str, answers: list[str]) -> None:
    shelf = Shelf({"a.md": [text]})
    sentences = answer(question, [shelf.passage("a.md", 1)]).sentences
    assert [sentence.text for sentence in sentences] == answers


def test_a_quantity_that_begins_a_line_is_no_title() -> None:
    shelf = Shelf({"a.pdf": ["2.1 Cooling\n\nFill in the coolant slowly.\n\n10.5 litres of coolant"]})
    sentences = answer("How many litres of coolant?", [shelf.passage("a.pdf", 1)]).sentences
    assert [sentence.text for sentence in sentences] == ["10.5 litres of coolant"]


def test_another_word_that_begins_alike_is_no_form_of_the_one_asked_for() -> None:
    shelf = Shelf(
        {"a.pdf": ["The globskip file is read by the option. The globstar file is written when it stops."]}
    )
    (sentence,) = answer("Which option writes the globstar file?", [shelf.passage("a.pdf", 1)]).sentences
    assert sentence.text == "The globstar file is written when it stops."


def test_headings_and_questions_are_not_answers() -> None:
    shelf = Shelf(
        {
            "faq.txt": [
                "Shuttle bus\n\nWhere does the shuttle bus leave?\n\nIt leaves from the east gate at noon."
            ]
        }
    )
    passage = shelf.passage("faq.txt", 1, heading="Travel / Shuttle bus", title="FAQ")
    draft = answer("Where does the shuttle bus leave?", [passage])
    assert [sentence.text for sentence in draft.sentences] == ["It leaves from the east gate at noon."]


def test_a_further_sentence_comes_only_when_it_is_likely_to_answer_too() -> None:
    shelf = Shelf(
        {
            "toll.pdf": [
                "The toll on the bridge was abolished in 1954. The toll on the bridge was abolished in May, the paper"
                " wrote. Cats are fond of milk. The lamps burn oil."
            ]
        }
    )
    passages = [shelf.passage("toll.pdf", 1)]
    both = answer("When was the toll on the bridge abolished?", passages, max_sentences=4)
    assert [sentence.text[:40] for sentence in both.sentences] == [
        "The toll on the bridge was abolished in ",
        "The toll on the bridge was abolished in ",
    ]
    one = answer("What do the lamps burn?", passages, max_sentences=4)
    assert [sentence.text for sentence in one.sentences] == ["The lamps burn oil."]


def test_every_sentence_quotes_itself_and_is_verified() -> None:
    passages = SHELF.passages(("bridge.pdf", 1), ("대교.pdf", 1))
    checked = check_draft(answer("How much did it cost?", passages, max_sentences=3), passages, SHELF)
    assert {sentence.support for sentence in checked.sentences} == {Support.VERIFIED}
    assert [c.quote for c in checked.citations] == [s.text for s in checked.sentences]


def test_what_a_document_repeats_is_quoted_from_where_it_says_it_first() -> None:
    sentence = "The dam was raised by four metres in 1988."
    shelf = Shelf(
        {"dam.pdf": [f"History. {sentence}", "Weather was mild.", f"Summary of the works. {sentence}"]}
    )
    passages = [shelf.passage("dam.pdf", number) for number in (3, 2, 1)]
    draft = answer("When was the dam raised?", passages, max_sentences=1)
    assert check_draft(draft, passages, shelf).citations[0].page == 1
    assert len(answer("When was the dam raised?", passages).sentences) == 1
    # also when the earlier page was not retrieved
    later = answer("When was the dam raised?", passages[:1], pages=shelf, max_sentences=1)
    (citation,) = check_draft(later, passages[:1], shelf).citations
    assert (citation.page, citation.note) == (1, "")


def test_nothing_to_choose_from_declines() -> None:
    assert answer("When?", []).declined
    empty = replace(SHELF.passage("ferry.pdf", 1), text="  \n ")
    assert answer("When?", [empty]).declined


def test_the_name_of_a_parameter_alone_answers_nothing() -> None:
    entries = "pump_rest_time (integer)\n\nThe shortest pause between two runs. It is a minute unless set otherwise."
    shelf = Shelf({"pumps.pdf": [entries]})
    (sentence,) = answer("What does pump_rest_time default to?", [shelf.passage("pumps.pdf", 1)]).sentences
    assert sentence.text.endswith(".")


def test_a_table_row_is_read_with_its_header() -> None:
    table = "Kind of item Limit Overdue charge per day\nBooks 12 £0.25\nFilms 4 £0.60\nMaps 2 £1.10"
    shelf = Shelf(
        {"rules.pdf": [table, "Overdue charges are collected on Fridays by the staff at the desk."]}
    )
    passages = [shelf.passage("rules.pdf", 1), shelf.passage("rules.pdf", 2)]
    draft = answer("How much is the overdue charge per day for films?", passages)
    assert "Films 4 £0.60" in [sentence.text for sentence in draft.sentences]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("The lamp is tested for about five seconds.", True),
        ("Claims older than ninety days are refused.", True),
        ("꾸구리 세 마리를 찾았다.", True),
        ("It was built in 1931.", False),
        ("One of the lamps is tested at night.", False),
    ],
)
def test_a_figure_may_be_written_in_words(text: str, states: bool) -> None:
    assert states_figure(text) is states


@pytest.mark.slow
def test_sample_questions_are_answered_from_the_right_pages(
    sample: Index, retriever: HybridRetriever
) -> None:
    asked = [
        q for q in SAMPLE_QUESTIONS if q["answerable"] and q["kind"] in ("fact", "date", "name", "figure")
    ]
    pages = verified = 0
    for question in asked:
        passages = list(retriever.retrieve(question["question"]).passages)
        checked = check_draft(answer(question["question"], passages), passages, sample)
        gold = {(e["file"], e["page"]) for e in question["evidence"]}
        pages += any((c.file, c.page) in gold for c in checked.citations)
        verified += all(s.support is Support.VERIFIED for s in checked.sentences)
    assert verified == len(asked)
    assert pages >= 0.8 * len(asked)


@pytest.mark.parametrize(
    ("question", "sentence", "lacks"),
    [
        (
            "When is goodwill considered impaired?",
            "Goodwill is impaired if its carrying value is too high.",
            False,
        ),
        ("How often are the officers elected?", "Officers are elected annually by the board.", False),
        ("얼마나 자주 점검하나요?", "점검은 매월 한다.", False),
        ("When was the bridge opened?", "The bridge was opened where the ferry had been.", True),
        ("When is the annual meeting?", "The annual meeting takes place in Busan.", True),
        ("How often is the mill cleaned?", "The mill is cleaned by a worker.", True),
    ],
)
def test_a_condition_or_a_regular_time_says_when_something_is_done(
    question: str, sentence: str, lacks: bool
) -> None:
    assert lacks_value(analyse(question), sentence) is lacks
