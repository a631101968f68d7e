"""The texts of the reports, from the message catalogue: both languages of each, since a report can show either."""

from __future__ import annotations

from rag.messages import Language, catalogue, texts

__all__ = ["TEXTS", "Language", "metric_texts"]

TEXTS: dict[str, dict[Language, str]] = {
    key.removeprefix("report."): texts(key) for key in catalogue() if key.startswith("report.")
}


def metric_texts(name: str) -> dict[Language, str]:
    """What a metric is called, in both languages: `page_hit@5` by the message `metric.page_hit`."""
    stem, _, k = (name, "", "") if f"metric.{name}" in catalogue() else name.partition("@")
    return {language: text.format(k=k) for language, text in texts(f"metric.{stem}").items()}
