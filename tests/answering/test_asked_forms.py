"""Answers of a form: defaults, makers, names of files and keys, and values that no sentence has."""

from __future__ import annotations

import pytest

from rag.answering.asked_forms import states_default
from rag.answering.evidence import THRESHOLD, assess
from rag.answering.extractive import answer
from rag.answering.identity import conflict, named
from rag.answering.question import AnswerKind, analyse, holds_kind, lacks_value
from rag.providers.e5 import E5Embeddings
from tests.answering.shelf import Shelf

PUMPS = Shelf(
    {
        "pumps.md": [
            "rest_time minutes\n\nThe pump pauses for rest_time minutes between two runs. With rest_time 20 it runs"
            " three times an hour. The default is 15, the most is 90.\n\n"
            "The settings of the pump are kept in /etc/pumpd.conf. The drain pump"
            " is sold separately.\n\nlog_place\n\nThis defines where the pump keeps its log. By"
            " default the log is in /var/log/pumpd.\n\nBelts\n\nKeep spare belts dry. A spare belt costs 9 pounds."
        ],
        "펌프.md": [
            "휴지 시간을 정하면 펌프가 그만큼 쉰다. 휴지 시간의 기본값은 15분이다. 펌프 설정은 자주 바꾸지 않는 것이 "
            "좋다. 펌프 설정은 /etc/pumpd.conf 파일에 저장된다. 배수 펌프는 따로 판매한다."
            "\n\n덮개\n\n덮개는 물로 씻는다. 덮개 값은 9,000원이다."
        ],
    }
)


def first_of(question: str) -> str:
    file = "펌프.md" if question[0] >= "가" else "pumps.md"
    (sentence,) = answer(
        question, [PUMPS.passage(file, 1)], embed_tokens=E5Embeddings().embed_tokens
    ).sentences
    return sentence.text


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("What does rest_time default to?", "The default is 15"),
        ("How many minutes does the pump pause if I set nothing?", "The default is 15"),
        ("How does rest_time work?", "The pump pauses for rest_time minutes"),
        ("Which file holds the settings of the pump?", "/etc/pumpd.conf"),
        ("휴지 시간은 기본적으로 얼마인가요?", "15분"),
        ("Where does the pump keep its log?", "/var/log/pumpd"),
        ("펌프 설정은 어느 파일에 있나요?", "/etc/pumpd.conf"),
    ],
)
def test_the_sentence_with_what_is_asked_for_answers(question: str, quoted: str) -> None:
    assert quoted in first_of(question)


@pytest.mark.parametrize(
    ("question", "sentence", "lacking"),
    [
        ("Who wrote pumpd?", "Unless pumpd is told otherwise, it writes its number (PID) to a file.", True),
        ("Who wrote pumpd?", "The program was written by Ada Kerr.", False),
        ("Who invented the belt?", "Kerr first invented the belt in 1871.", False),
        ("Who built the pool?", "The municipal pool opens at six in the morning.", True),
        ("Who can open the gate?", "Only the warden opens the gate.", False),
        ("거름망은 누가 만들었나요?", "거름망을 꺼내어 물로 씻는다.", True),
        ("거름망은 누가 만들었나요?", "거름망은 윤가람이 고안하였다.", False),
        ("문은 누가 잠그나요?", "문은 당직자가 잠근다.", False),
    ],
)
def test_who_made_a_thing_is_told_by_a_sentence_with_a_maker(
    question: str, sentence: str, lacking: bool
) -> None:
    assert lacks_value(analyse(question), sentence) is lacking


@pytest.mark.parametrize(
    ("question", "default"),
    [
        ("What happens when no rest_time is configured?", True),
        ("How long does the pump pause if rest_time is not set?", True),
        ("Where does the pump keep its log unless told otherwise?", True),
        ("How many runs are there if rest_time is left out?", True),
        ("휴지 시간을 설정 안 하면 어떻게 되나요?", True),
        ("What happens when the belt breaks?", False),
        ("When is the rest_time set?", False),
    ],
)
def test_a_question_for_a_default_is_told_by_its_condition(question: str, default: bool) -> None:
    assert analyse(question).default is default
    told = {"configured", "set", "told", "otherwise"} & analyse(question).terms.keys()
    assert not told or not default


@pytest.mark.parametrize(
    ("sentence", "states"),
    [
        ("If no rest_time is given, the pump pauses for a quarter of an hour.", True),
        ("Effect if unset: the pump does not pause.", True),
        ("휴지 시간을 지정 안 하면 15분을 쉰다.", True),
        ("If no water is left, the pump stops.", False),
    ],
)
def test_a_default_is_stated_by_its_condition(sentence: str, states: bool) -> None:
    assert states_default(sentence) is states


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Which option reads a file whose lines have a fixed length?", AnswerKind.TERM),
        ("What must people who work at night wear?", AnswerKind.OTHER),
        ("Who works at night?", AnswerKind.PERSON),
        ("The pump was drawn by whom?", AnswerKind.PERSON),
        ("In the yard, who opens the gate?", AnswerKind.PERSON),
    ],
)
def test_who_asks_for_a_person_only_where_it_begins_the_question(question: str, kind: AnswerKind) -> None:
    assert analyse(question).kind is kind


@pytest.mark.parametrize(
    ("question", "sentence", "lacking"),
    [
        ("How much memory does pumpd need?", "The memory of pumpd holds the last 14 runs.", True),
        ("How much memory does pumpd need?", "With 32 MB of memory pumpd runs well.", False),
        ("How much disk space do the logs take?", "The logs grow by two gigabytes a year.", False),
        ("메모리는 얼마나 필요한가요?", "메모리에는 최근 기록 14건이 남는다.", True),
        ("메모리는 얼마나 필요한가요?", "메모리가 32MB 있으면 된다.", False),
        ("프로그램은 얼마인가요?", "프로그램은 9,000원이다.", False),
    ],
)
def test_an_amount_of_memory_is_told_in_bytes(question: str, sentence: str, lacking: bool) -> None:
    assert lacks_value(analyse(question), sentence) is lacking


@pytest.mark.parametrize(
    ("question", "text", "told"),
    [
        ("When did they sell the mill?", "The mill was painted in 1950. The mill was sold in 1931.", "1931"),
        ("Who has written on tides?", "Ada Kerr spoke on tides. Ben Holt wrote on tides.", "Holt"),
    ],
)
def test_an_irregular_verb_is_found_in_its_other_forms(question: str, text: str, told: str) -> None:
    (sentence,) = answer(question, [Shelf({"a.md": [text]}).passage("a.md", 1)]).sentences
    assert told in sentence.text


@pytest.mark.parametrize(
    ("question", "answered"),
    [
        ("How much is the drain pump?", False),
        ("배수 펌프는 얼마예요?", False),
        ("How much is a spare belt?", True),
        ("덮개 값은 얼마예요?", True),
    ],
)
def test_a_sentence_without_the_amount_asked_for_does_not_answer(question: str, answered: bool) -> None:
    file = "펌프.md" if question[0] >= "가" else "pumps.md"
    found = assess(question, [PUMPS.passage(file, 1)], embed_tokens=E5Embeddings().embed_tokens)
    assert (found.score >= THRESHOLD) is answered


@pytest.mark.parametrize(
    ("question", "sentence", "lacking"),
    [
        ("How do I change the width of a shelf?", "Drag the edge of the shelf.", False),
        ("What is the width of the shelf?", "Drag the edge of the shelf.", True),
        ("선반 너비는 어떻게 바꿔?", "선반의 가장자리를 끌어 놓는다.", False),
        ("선반 높이를 바꾸는 단축키가 뭐예요?", "Alt 키를 누른 채 화살표 키를 누른다.", False),
        ("전화번호를 글자로 적으려면?", "작은따옴표를 먼저 적는다.", False),
        ("사무실 전화번호가 어떻게 되나요?", "사무실은 2층에 있다.", True),
    ],
)
def test_how_something_of_a_measure_is_done_needs_no_value_of_it(
    question: str, sentence: str, lacking: bool
) -> None:
    assert lacks_value(analyse(question), sentence) is lacking


@pytest.mark.parametrize(
    ("question", "sentence", "held"),
    [
        ("종소리를 끄는 옵션은?", "시작할 때 chime=off 값을 준다.", 1.0),
        ("종소리를 끄는 옵션은?", "종소리는 하루에 두 번 울린다.", 0.25),
        ("Which option turns the chime off?", "Start the clock with chime=off.", 1.0),
        ("종의 목록은 어떤 명령으로 보나요?", "목록은 lsbell 명령으로 본다.", 1.0),
        ("종소리를 줄이는 단축키가 뭐예요?", "CapsLock을 누르면 줄어든다.", 1.0),
        ("종의 설정은 어떤 파일에 있나요?", "설정은 clock.conf에 적는다.", 1.0),
        ("종소리를 어떤 단축키로 끄나요?", "Enter를 두 번 누른다.", 1.0),
        ("어떤 종을 걸어야 하나요?", "종은 두 가지로 나온다.", 0.5),
        ("종을 꼭 걸어야 해?", "종은 걸지 않아도 된다.", 1.0),
    ],
)
def test_a_name_is_told_from_what_is_asked_whether_it_must_be(
    question: str, sentence: str, held: float
) -> None:
    assert holds_kind(analyse(question), sentence) == held


def test_a_short_no_is_told_with_its_reason_and_answers_the_question_above_it() -> None:
    faq = (
        "9.2 Do I have to drain the tank before I change the belt?\n\nNo. The belt can be changed at any time.\n\n"
        "9.3 Do I have to keep old belts?\n\nYes. The maker takes them back, with the tank or without."
    )
    passage = Shelf({"faq.md": [faq]}).passage("faq.md", 1)
    (sentence,) = answer("Must the tank be empty when I put in a new belt?", [passage]).sentences
    assert sentence.text == "No. The belt can be changed at any time."


def test_a_heading_that_asks_without_a_question_mark_is_no_answer() -> None:
    text = "What is in the box\n\nThe box holds the pump, two belts and a hose.\n\nThe pump is made of steel."
    (sentence,) = answer("What comes in the box?", [Shelf({"a.md": [text]}).passage("a.md", 1)]).sentences
    assert sentence.text == "The box holds the pump, two belts and a hose."


@pytest.mark.parametrize(
    ("question", "text", "shown"),
    [
        (
            "How do I empty the tank?",
            "The tank is made of steel.\n\nTo empty the tank, use the following command:\n\npumpctl drain --all\n\n"
            "The tank is then dry.",
            ["To empty the tank, use the following command:", "pumpctl drain --all"],
        ),
        (
            "탱크를 비우려면 어떤 명령을 쓰나요?",
            "탱크는 강철로 만든다.\n\n탱크를 비우려면 실행할 명령은\n\npumpctl drain --all\n\n그러면 탱크가 마른다.",
            ["탱크를 비우려면 실행할 명령은", "pumpctl drain --all"],
        ),
    ],
)
def test_a_command_is_shown_with_the_sentence_that_announces_it(
    question: str, text: str, shown: list[str]
) -> None:
    sentences = answer(question, [Shelf({"a.md": [text]}).passage("a.md", 1)]).sentences
    assert [sentence.text for sentence in sentences] == shown


RULES = Shelf(
    {
        "club.md": [
            "The cost of a berth is 40 pounds a month. Only the warden may authorise a mooring at night. Old nets are"
            " discarded in the red bin. The lamp on the pier is disabled with the blue key."
        ],
        "모임.md": [
            "승강기는 밤에 세운다. 낡은 그물은 붉은 통에 버린다. 명단에서 이름을 삭제하려면 간사에게 말한다. "
            "비밀번호는 아홉 자로 한다. 매점은 매주 화요일에 휴무이다. 부두는 새벽에 붐빈다."
        ],
    }
)


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("What is the price of a berth?", "40 pounds"),
        ("Who signs off a mooring at night?", "authorise"),
        ("How do I get rid of old nets?", "red bin"),
        ("How can I turn off the lamp?", "blue key"),
        ("엘리베이터는 언제 세우나요?", "밤에"),
        ("명단에서 이름을 지우려면 어떻게 하나요?", "삭제"),
        ("암호는 몇 자인가요?", "아홉"),
        ("명단에서 이름은 어떻게 지우나요?", "삭제"),
        ("매점은 언제 쉬나요?", "휴무"),
    ],
)
def test_other_words_for_the_same_are_found_and_not_missing(question: str, quoted: str) -> None:
    passage = RULES.passage("모임.md" if question[0] >= "가" else "club.md", 1)
    assert quoted in answer(question, [passage]).sentences[0].text
    assert assess(question, [passage]).missing == ()


PROVISOS = Shelf(
    {
        "mill.md": [
            "Visitors may not enter the wheel house. This rule does not apply to the miller's guests. The shop sells"
            " flour. The oven is lit on Mondays."
        ],
        "방앗간.md": [
            "물레방아에는 들어갈 수 없다. 다만, 주인의 손님은 그러하지 아니하다.\n\n가루는 매주 목요일에 판다."
            " 단 하나의 창고가 있다. 장부는 월말에 적는다."
        ],
    }
)


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        (
            "May visitors enter the wheel house?",
            "Visitors may not enter the wheel house. This rule does not apply to the miller's guests.",
        ),
        ("What does the shop sell?", "The shop sells flour."),
        (
            "물레방아에 들어갈 수 있나요?",
            "물레방아에는 들어갈 수 없다. 다만, 주인의 손님은 그러하지 아니하다.",
        ),
        ("가루는 무슨 요일에 파나요?", "가루는 매주 목요일에 판다."),
    ],
)
def test_a_rule_is_shown_with_what_it_does_not_apply_to(question: str, shown: str) -> None:
    passage = PROVISOS.passage("방앗간.md" if question[0] >= "가" else "mill.md", 1)
    assert [sentence.text for sentence in answer(question, [passage]).sentences] == [shown]


@pytest.mark.parametrize(
    ("question", "sentence", "other"),
    [
        ("What does exit code 5 mean?", "When files are skipped the exit code is 2.", 1.0),
        ("What does exit code 2 mean?", "When files are skipped the exit code is 2.", 0.0),
        ("오류 7은 무슨 뜻인가요?", "물이 없으면 오류 3이 뜬다.", 1.0),
        ("오류 3은 무슨 뜻인가요?", "물이 없으면 오류 3이 뜬다.", 0.0),
    ],
)
def test_the_code_of_an_error_is_told_by_its_number(question: str, sentence: str, other: float) -> None:
    assert conflict(named(question), [named(sentence)]) == other


@pytest.mark.parametrize(("when", "lacks"), [("월말에", 1.0), ("매주 목요일에", 0.0)])
def test_a_day_of_the_week_is_asked_for(when: str, lacks: float) -> None:
    passage = Shelf({"장부.md": [f"장부는 {when} 적는다."]}).passage("장부.md", 1)
    assert assess("장부는 무슨 요일에 적나요?", [passage]).signals.lacking == lacks


def test_a_question_that_names_another_document_is_not_answered() -> None:
    shelf = Shelf({"박물관.md": ["입장료는 3,000원이다."], "수영장.md": ["회원은 줄을 서지 않는다."]})
    passages = [
        shelf.passage("박물관.md", 1, title="달섬 박물관 안내"),
        shelf.passage("수영장.md", 1, title="달섬 수영장 안내"),
    ]
    assert assess("수영장 입장료는 얼마인가요?", passages).signals.other == 1.0
    assert assess("박물관 입장료는 얼마인가요?", passages).signals.other == 0.0


def test_words_that_only_look_alike_are_missing() -> None:
    passage = RULES.passage("club.md", 1)
    assert assess("What is the weight of a berth?", [passage]).missing == ("weight",)
    assert assess("How do I turn the boat?", [passage]).missing == ("turn", "boat")


@pytest.mark.parametrize(
    ("year", "sentence", "other"),
    [
        (2024, "The fee for the audit was 104 pounds (2023: 96 pounds).", 0.0),
        (2023, "The fee for the audit was 104 pounds (2023: 96 pounds).", 0.0),
        (2024, "Fuel cost a million less than in 2023.", 0.0),
        (2024, "연료비는 2023년보다 백만 원 적었다.", 0.0),
        (2024, "The fee for the audit of 2023 was 96 pounds.", 1.0),
        (2022, "Fuel cost a million less than in 2023.", 1.0),
    ],
)
def test_a_year_for_comparison_is_not_what_a_sentence_is_about(
    year: int, sentence: str, other: float
) -> None:
    levels = [named(sentence), named(""), named("Annual report 2024")]
    assert conflict(named(f"What was the fee in {year}?"), levels) == other


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("거둔 사과를 나눌 때 무엇을 보나요?", "사과는 크기를 보고 나눈다. 배는 빛깔을 보고 담근다."),
        ("그물을 바꾸는 사람은 누구인가요?", "그물은 당번이 바꿔 둔다. 노는 당번이 말린다."),
        ("돛을 올릴 때 무엇을 먼저 하나요?", "돛은 매듭을 먼저 풀고 올려야 한다. 닻은 나중에 내린다."),
    ],
)
def test_a_korean_verb_is_found_in_its_other_forms(question: str, text: str) -> None:
    passage = Shelf({"a.md": [text]}).passage("a.md", 1)
    assert answer(question, [passage]).sentences[0].text == text.partition(". ")[0] + "."
    assert not {"나눌", "바꾸", "올릴"} & set(assess(question, [passage]).missing)


def test_missing_words_are_told_without_particles_and_no_verbs_among_them() -> None:
    passage = RULES.passage("모임.md", 1)
    missing = assess("많은 물을 넣으면 등대의 창고가 잠기나요?", [passage]).missing
    assert {"물", "등대", "창고"} <= set(missing)
    assert not {"많은", "물을", "넣으면"} & set(missing)


def test_a_thing_that_the_text_knows_is_not_the_one_another_sentence_is_about() -> None:
    text = "주차장은 버스를 세울 수 있으며 요금은 3,000원이다. 셔틀버스가 하루 네 번 오간다. 셔틀버스는 역 앞에 선다."
    passage = Shelf({"a.md": [text]}).passage("a.md", 1)

    def others(question: str) -> set[str]:
        ranked = assess(question, [passage]).ranked
        return {r.candidate.text.split()[0] for r in ranked if r.features.other}

    assert others("셔틀버스 요금은 얼마인가요?") == {"주차장은"}
    assert others("주차장 요금은 얼마인가요?") == {"셔틀버스는"}


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("bell_rate는 얼마로 정하나요?", 0.0),
        ("--quiet를 주면 종이 울리나요?", 0.0),
        ("bell_size는 얼마로 정하나요?", 1.0),
    ],
)
def test_a_particle_behind_an_option_makes_it_no_other_one(question: str, other: float) -> None:
    shelf = Shelf({"종.md": ["bell_rate 값은 3으로 정한다.\n\n--quiet 옵션을 주면 종이 울리지 않는다."]})
    assert assess(question, [shelf.passage("종.md", 1)]).signals.other == other
