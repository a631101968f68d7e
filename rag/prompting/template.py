"""A checked template, ready to be filled with a question and passages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.messages import Language
from rag.prompting.template_file import (
    Example,
    ExamplePassage,
    Output,
    Purpose,
    Sampling,
    TemplateFile,
    nearest,
)

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, FewShotChatMessagePromptTemplate

    from rag.prompting.examples import Embed


FormatPassages = Callable[[Sequence[ExamplePassage]], str]

GIVEN: Mapping[Purpose, tuple[str, ...]] = {
    "answer": ("passages", "question", "language", "reply_form"),
    "condense": ("history", "question", "language"),
    "rewrite": ("question", "language"),
    "hypothetical": ("question", "language"),
    "split": ("question", "language"),
    "rerank": ("passages", "question", "language"),
    "check": ("quote", "sentence", "question", "language"),
}
"""Variables that the program fills, by purpose."""
NEEDED: Mapping[Purpose, tuple[str, ...]] = {
    "answer": ("passages", "question"),
    "condense": ("history", "question"),
    "rewrite": ("question",),
    "hypothetical": ("question",),
    "split": ("question",),
    "rerank": ("passages", "question"),
    "check": ("quote", "sentence"),
}
"""Those that the user message must hold."""
_LANGUAGE_NAMES = {
    ("en", "en"): "English",
    ("en", "ko"): "Korean",
    ("ko", "en"): "영어",
    ("ko", "ko"): "한국어",
}

_SAME_LANGUAGE: Mapping[Language, str] = {"en": "the language of the question", "ko": "질문과 같은 언어"}


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template with everything it needs: examples read, reply form known, fingerprint taken."""

    name: str
    path: Path
    file: TemplateFile
    examples: tuple[Example, ...] = ()
    reply_forms: Mapping[Language, str] = field(default_factory=dict)
    """The words that `{reply_form}` stands for, by language."""
    output: Output = "quoted"
    """The form of the reply in force."""

    @property
    def numbered(self) -> bool:
        """Whether passages are laid out as numbered sentences, whose numbers the reply cites."""
        return self.output == "numbered"

    @property
    def description(self) -> str:
        return self.file.description

    @property
    def sampling(self) -> Sampling:
        return self.file.sampling

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that can change a prompt; formatting of the file cannot."""
        content = {
            "file": self.file.model_dump(mode="json", exclude={"description", "sentences"}),
            "examples": [example.model_dump(mode="json") for example in self.examples],
            "reply_forms": dict(self.reply_forms),
        }
        canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def language_for(self, question_language: str) -> Language:
        """The language of the messages: the template's own when fixed, else the question's when written."""
        wanted = question_language if self.file.language == "auto" else self.file.language
        given = self.file.messages.given()
        return "ko" if (wanted == "ko" and "ko" in given) or "en" not in given else "en"

    def prompt(
        self,
        language: Language,
        *,
        format_passages: FormatPassages,
        count_tokens: Callable[[str], int],
        embed: Embed | None = None,
    ) -> ChatPromptTemplate:
        """The LangChain prompt; its inputs are the variables named in the messages, `question` among them.

        `format_passages` lays out the passages of the examples exactly as those of the question are laid out.
        """
        from langchain_core.prompts import ChatPromptTemplate

        texts = self.file.messages.given()[language]
        parts: list[Any] = [("system", texts.system.strip())]
        if self.examples and self.file.examples is not None:
            parts.append(self._few_shot(texts.user, language, format_passages, count_tokens, embed))
        return ChatPromptTemplate.from_messages([*parts, ("human", texts.user.strip())])

    def _few_shot(
        self,
        user: str,
        language: Language,
        format_passages: FormatPassages,
        count_tokens: Callable[[str], int],
        embed: Embed | None,
    ) -> FewShotChatMessagePromptTemplate:
        from langchain_core.prompts import ChatPromptTemplate, FewShotChatMessagePromptTemplate

        from rag.prompting.examples import ExampleSelector

        rule = self.file.examples
        assert rule is not None  # the caller has looked
        selector = ExampleSelector(
            [
                self._filled(e, language, format_passages)
                for e in self.examples
                if e.language in (None, language)
            ],
            number=rule.number,
            nearest=rule.choose == "nearest",
            count_tokens=count_tokens,
            max_tokens=rule.max_tokens,
            embed=embed,
        )
        pair = ChatPromptTemplate.from_messages([("human", user.strip()), ("ai", "{reply}")])
        return FewShotChatMessagePromptTemplate(
            example_selector=selector, example_prompt=pair, input_variables=["question"]
        )

    def _filled(
        self, example: Example, language: Language, format_passages: FormatPassages
    ) -> dict[str, Any]:
        return {
            **self._fixed(language, example.language or language),
            "question": example.question,
            "passages": format_passages(example.passages),
            "reply": example.reply.strip(),
            "keep": example.keep,
        }

    def _fixed(self, language: Language, question_language: str) -> dict[str, str]:
        name = _LANGUAGE_NAMES.get((language, question_language), _SAME_LANGUAGE[language])
        return {
            **self.file.variable_values(language),
            "language": name,
            "reply_form": self.reply_forms.get(language, ""),
        }

    def fixed_values(
        self, language: Language, question_language: str, variables: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The input of `prompt` that does not depend on what was found; `variables` replace the template's own.

        Raises UsageError for a variable that the template lacks.
        """
        for name in variables or {}:
            if name not in self.file.variables:
                raise UsageError(
                    f"The template {self.name} has no variable `{name}`: {nearest(name, self.file.variables)}"
                )
        return {**self._fixed(language, question_language), **(variables or {})}
