"""Answers, chats and question sets as sections with footnotes, every citation looked up again in the index as it is.

Nothing that a file says about itself is believed: marks and pages are those of today's check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.answering.checking import Claim, ClaimQuote, check_cited
from rag.answering.originals import CurrentPages, original_of
from rag.answering.saved import SavedAnswer, SavedCitation, SavedSentence, verify_saved_answer
from rag.errors import RagError, UsageError
from rag.messages import Language, message
from rag.pipeline.forms import citations_of
from rag.rendering.footnotes import Note, NotedParagraph, Section, footnote, verdict
from rag.rendering.pages import render_page
from rag.store import Index
from rag.text.language import language_for
from rag.types import Citation, Passage, Sentence, Support


@dataclass(frozen=True, slots=True)
class Exporter:
    """Makes sections of what is exported.

    search: finds passages for a text. pictures: whether each footnote gets the page as a picture, its quote marked.
    language: of remarks, as the setting gives it.
    """

    index: Index
    search: Callable[[str], Sequence[Passage]]
    language: str = "auto"
    pictures: bool = False

    def answer(self, saved: SavedAnswer) -> Section:
        """An answer with a footnote for each citation of each sentence; a declined one says why."""
        language = language_for(saved.question, self.language)
        if not saved.answered:
            reason = (saved.reason,) if saved.reason else ()
            return Section(saved.question, (NotedParagraph(message("answer.declined", language)),), reason)
        checked = verify_saved_answer(saved, CurrentPages(self.index), self.index).checked
        citations = {citation.n: citation for citation in checked.citations}
        paragraphs = [
            self._paragraph(
                _with_verdict(sentence, language), [citations[n] for n in sentence.citations], language
            )
            for sentence in checked.sentences
        ]
        return Section(saved.question, tuple(paragraphs))

    def gold(self, question: str, answers: Sequence[str], evidence: Iterable[ClaimQuote]) -> Section:
        """A question of a question set with its gold answers, and a footnote for each piece of evidence."""
        language = language_for(question, self.language)
        text = "; ".join(answers) or message("answer.declined", language)
        claim = Claim(text, tuple(quote for quote in evidence if quote.quote.strip()))
        (checked,) = check_cited([claim], self.index, self.search, self.index)
        return Section(question, (self._paragraph(text, checked.quotes, language),))

    def _paragraph(self, text: str, citations: Sequence[Citation], language: Language) -> NotedParagraph:
        notes = tuple(Note(footnote(c, language, str), self._picture(c)) for c in citations)
        return NotedParagraph(text, notes)

    def _picture(self, citation: Citation) -> bytes | None:
        """The page with the quote marked; None when it is no page of a PDF that is here."""
        original = original_of(self.index, citation.file) if self.pictures and citation.verified else None
        page = self.index.page(citation.file, citation.page)
        if original is None or page is None:
            return None
        quotes = [page.text[span.start : span.end] for span in citation.spans if span.page == page.number]
        try:
            return render_page(original, page.number, quotes)
        except RagError:
            return None


def _with_verdict(sentence: Sentence, language: Language) -> str:
    """The sentence; one that is not verified with the reason."""
    if sentence.support is Support.VERIFIED:
        return sentence.text
    return f"{sentence.text} ({verdict(sentence, language, str)})"


def saved_of_form(form: Mapping[str, Any]) -> SavedAnswer:
    """An answer in the form of `rag ask --json` as a saved answer. Raises UsageError when it has another form."""
    citations = citations_of(form)
    try:
        sentences = tuple(
            SavedSentence(str(s["text"]), tuple(int(n) for n in s["citations"]), Support(s["support"]))
            for s in form["sentences"]
        )
        return SavedAnswer(
            question=str(form["question"]),
            answered=form["status"] == "answered",
            answer=str(form["answer"]),
            sentences=sentences,
            citations=tuple(
                SavedCitation(c.n, c.file, c.page, c.quote, c.status, c.page_hash, c.spans) for c in citations
            ),
            model=str(form["model"]),
            prompt=str(form["prompt"]),
            evidence_score=float(form["evidence_score"]),
            confidence=None if form.get("confidence") is None else float(form["confidence"]),
            saved="",
            reason=str(form["reason"] or ""),
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError("The answer cannot be read: it is not of the form of `rag ask --json`.") from None
