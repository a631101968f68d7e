"""The built-in answerer as a step: it answers without a model, and gives a second opinion on what a model wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rag.answering import extractive
from rag.answering.question import analyse, lacks_value
from rag.answering.ranking import Ranked
from rag.answering.reply import Draft, DraftSentence
from rag.answering.table_answers import answer_from_tables
from rag.answering.verification import LIKELY, CheckedDraft, quotes_one_of
from rag.messages import message
from rag.pipeline.part_search import PartSearch
from rag.pipeline.query import Part, QueryState
from rag.prompting.catalogue import load_template
from rag.prompting.template import Template
from rag.settings import Settings
from rag.text.language import language_of

CERTAIN = 0.9
"""Confidence from which the built-in answerer answers what a model did not. Of the questions about Wikipedia pages
64 % reach it, and 96 % of those are answered right; of the 250 without an answer none does."""
UNSURE = 0.1
"""Confidence below which a sentence is not shown: others fit far better that cannot answer for their form."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """Chooses the sentences and table cells of the passages that answer."""

    search: PartSearch
    settings: Settings

    def draft(self, state: QueryState) -> Draft:
        """What answers the parts of the question; `state.confidence` says how likely all of them are right."""
        if state.overview is not None:
            return state.overview
        if (cells := self._cells_of_all_parts(state)) is not None:
            return cells
        template = self._template(state)
        if template.file.sentences is not None:  # without a model this is all of a template that is heeded
            state.template = (template.name, template.fingerprint)
        draft, state.confidence, missing = self._of_parts(state, template.file.sentences)
        if len(state.parts) > 1:
            state.notes += [
                message("answer.part_missing", state.language, question=part.question) for part in missing
            ]
        return draft

    def _of_parts(self, state: QueryState, most: int | None) -> tuple[Draft, float | None, list[Part]]:
        """What answers the parts that have evidence, each in at most so many sentences; how likely all of it is
        right, None when there is nothing; and the parts that nothing is shown for in spite of their evidence."""
        sentences: list[DraftSentence] = []
        confidence: float | None = None
        missing = []
        for part in state.parts:
            if not part.answered or part.assessment is None:
                continue
            draft, sure = self._of_part(part, state, most)
            if sure is None:
                missing.append(part)
                continue
            sentences += draft.sentences
            confidence = min(sure, 1.0 if confidence is None else confidence)
        return Draft(tuple(dict.fromkeys(sentences)), declined=not sentences), confidence, missing

    def _of_part(self, part: Part, state: QueryState, most: int | None) -> tuple[Draft, float | None]:
        """What answers a part in at most so many sentences, and its confidence; None when that is next to nothing."""
        assert part.assessment is not None
        draft = extractive.draft(
            part.question,
            part.passages,
            part.assessment.ranked,
            pages=state.snapshot,
            tables=state.snapshot,
            max_sentences=most,
        )
        places = {passage.chunk_id: n for n, passage in enumerate(state.passages, start=1)}
        cell = any(quote.cell for sentence in draft.sentences for quote in sentence.quotes)
        sure = max(part.of_cells if cell else 0.0, part.assessment.confidence)
        chosen = cell or any(extractive.is_note(sentence.text) for sentence in draft.sentences)
        shown = bool(draft.sentences) and (chosen or sure >= UNSURE)
        return _renumbered(draft, part, places), sure if shown else None

    def _cells_of_all_parts(self, state: QueryState) -> Draft | None:
        """One sentence of table cells that answers all parts ("in 2019 and 2018"), or a figure computed from them."""
        if len(state.parts) < 2:
            return None
        found = answer_from_tables(state.standalone, state.passages, state.snapshot, state.snapshot)
        if found is None or found.evidence < self.search.threshold:
            return None
        derived = any(sentence.derived for sentence in found.draft.sentences)
        cells = {quote.cell for sentence in found.draft.sentences for quote in sentence.quotes}
        return found.draft if derived or len(cells) >= len(state.parts) else None

    def instead_of_declining(self, state: QueryState) -> Draft | None:
        """The page's own words when a model declines what they nearly certainly answer; see `CERTAIN`."""
        if not self._may_replace(state):
            return None
        return self._certain(state, self._score(state), "answer.told_instead")

    def instead_of_unverified(self, state: QueryState, checked: CheckedDraft) -> Draft | None:
        """What to say in place of a model's answer of which no sentence is verified; None when it is to stand.

        A draft that declines, when the passages do not answer by the built-in answerer's own measure either; the
        page's own words, when they nearly certainly answer and the model quotes something else. Of computed figures,
        and of passages in another language than the question's, the built-in answerer cannot tell.
        """
        computed = any(sentence.derived for sentence in checked.sentences)
        if checked.verified or computed or not self._may_replace(state):
            return None
        evidence = self._score(state)
        if not (fronts := likely(state)):
            return None
        if not any(part.answered for part in state.parts):
            state.evidence = evidence
            return Draft((), declined=True)
        quotes = [citation.quote for citation in checked.citations]
        among = quotes_one_of(quotes, [text for front in fronts for text in front])
        return None if among else self._certain(state, evidence, "answer.told_in_place")

    def _may_replace(self, state: QueryState) -> bool:
        """Whether the template asks for an answer to a question, and not for a summary or the like."""
        return state.overview is None and self._template(state).file.passages != "all"

    def _score(self, state: QueryState) -> float:
        """The evidence (0 to 1) of an answer without a model; the parts get theirs."""
        for part in state.parts:
            self.search.score(part, state.snapshot)
        return max(part.evidence for part in state.parts)

    def _certain(self, state: QueryState, evidence: float, note: str) -> Draft | None:
        """The page's own words for all of the question, if nearly certain; the state then says that they are told."""
        draft, confidence, missing = self._of_parts(state, self._template(state).file.sentences)
        cells = any(quote.cell for sentence in draft.sentences for quote in sentence.quotes)
        whole = not missing and all(part.answered for part in state.parts)
        if cells or not whole or confidence is None or confidence < CERTAIN:
            return None
        state.evidence, state.confidence, state.packed = evidence, confidence, None
        state.notes.append(message(note, state.language))
        return draft

    def _template(self, state: QueryState) -> Template:
        return load_template(state.query.prompt or self.settings.prompt, self.settings.prompts_dir)


def ranked(state: QueryState) -> list[Ranked]:
    """The sentences of all parts of the question, those of each part the likeliest to answer first."""
    return [one for part in state.parts if part.assessment is not None for one in part.assessment.ranked]


def likely(state: QueryState) -> list[list[str]]:
    """For each part of the question its sentences, the likeliest to answer first; none when one part has no ranking.

    Nor when question and passages are in different languages, whose words cannot agree. A sentence without a value
    is not likely to answer a question for one.
    """
    texts = []
    for part in state.parts:
        if part.assessment is not None:
            asked_for, every = analyse(part.question), [r.candidate.text for r in part.assessment.ranked]
            texts.append([t for t in every if not lacks_value(asked_for, t)][:LIKELY] or every)
    asked = language_of(state.standalone)
    same = all(language_of(text) == asked for front in texts for text in front)
    return texts if same and len(texts) == len(state.parts) else []


def _renumbered(draft: Draft, part: Part, places: Mapping[int, int]) -> Draft:
    """The draft of a part with its passages numbered as among those of the whole question."""
    number = {n: places[passage.chunk_id] for n, passage in enumerate(part.passages, start=1)}
    sentences = [
        replace(
            sentence,
            passages=tuple(number[n] for n in sentence.passages),
            quotes=tuple(
                replace(quote, passage=None if quote.passage is None else number[quote.passage])
                for quote in sentence.quotes
            ),
        )
        for sentence in draft.sentences
    ]
    return replace(draft, sentences=tuple(sentences))
