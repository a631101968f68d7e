"""The sentences that readers of answers see, in English and Korean."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "ko"]

_MESSAGES: dict[str, dict[Language, str]] = {
    "declined": {
        "en": "These documents do not hold the answer.",
        "ko": "이 문서들에는 답이 없습니다.",
    },
    "nearest": {"en": "The nearest passages:", "ko": "가장 가까운 구절:"},
    "evidence": {"en": "Evidence", "ko": "근거"},
    "page": {"en": "page {page}", "ko": "{page}쪽"},
    "page_printed": {"en": "page {page} (printed as {label})", "ko": "{page}쪽(인쇄된 번호 {label})"},
    "proven": {"en": "found on the page", "ko": "쪽에서 확인됨"},
    "weak": {"en": "weakly supported", "ko": "근거 약함"},
    "unsupported": {"en": "not supported by a quote", "ko": "인용으로 뒷받침되지 않음"},
    "derived": {"en": "derived: {formulas}", "ko": "계산한 값: {formulas}"},
    "facts_missing": {"en": "not in the evidence: {facts}", "ko": "근거에 없음: {facts}"},
    "not_proven": {"en": "NOT FOUND in the documents", "ko": "문서에서 찾지 못함"},
    "altered": {"en": "ALTERED: the page says otherwise", "ko": "다름: 쪽의 내용과 다릅니다"},
    "difference": {
        "en": "[-claimed-] and {{+on the page+}}:",
        "ko": "[-인용한 말-]과 {{+쪽의 말+}}:",
    },
    "not_on_page": {
        "en": "The quote is not on this page.",
        "ko": "이 쪽에 그 인용문이 없습니다.",
    },
    "moved": {
        "en": "found elsewhere; the page is corrected",
        "ko": "다른 곳에서 확인됨; 쪽을 바로잡았습니다",
    },
    "unproven_words": {
        "en": "The words above are all that came, and nothing proves them.",
        "ko": "위의 말은 여기까지만 왔고, 확인되지 않았습니다.",
    },
    "ocr": {"en": "read by OCR", "ko": "OCR로 읽음"},
    "not_searchable": {
        "en": "{files:,} of {all_files:,} files and {pages:,} of {all_pages:,} pages are not searchable:"
        " `rag status --failed` says why.",
        "ko": "파일 {all_files:,}개 중 {files:,}개와 {all_pages:,}쪽 중 {pages:,}쪽은 검색할 수 없습니다."
        " `rag status --failed`로 까닭을 볼 수 있습니다.",
    },
    "files_not_searchable": {
        "en": "{files:,} of {all_files:,} files are not searchable: `rag status --failed` says why.",
        "ko": "파일 {all_files:,}개 중 {files:,}개는 검색할 수 없습니다."
        " `rag status --failed`로 까닭을 볼 수 있습니다.",
    },
    "pages_not_searchable": {
        "en": "{pages:,} of {all_pages:,} pages are not searchable: `rag status --failed` says why.",
        "ko": "{all_pages:,}쪽 중 {pages:,}쪽은 검색할 수 없습니다."
        " `rag status --failed`로 까닭을 볼 수 있습니다.",
    },
    "proven_now": {"en": "proven", "ko": "확인됨"},
    "edited_now": {"en": "page edited", "ko": "쪽이 고쳐졌으나 인용문은 그대로 있음"},
    "moved_now": {"en": "moved", "ko": "다른 쪽으로 옮겨짐"},
    "gone_now": {"en": "gone", "ko": "이 파일에 그 인용문이 없음"},
    "removed_now": {"en": "page removed", "ko": "쪽이 없어짐"},
    "outdated_now": {"en": "document changed or gone", "ko": "문서가 바뀌었거나 없어짐"},
    "document_outdated": {
        "en": "The document has changed or is gone since it was indexed: run `rag ingest`.",
        "ko": "색인된 뒤 문서가 바뀌었거나 없어졌습니다. `rag ingest`를 실행하세요.",
    },
    "unproven_now": {"en": "was not proven", "ko": "저장할 때에도 확인되지 않았음"},
    "now_on_page": {"en": "to page {page}", "ko": "(지금은 {page}쪽)"},
    "weakened": {"en": "No longer verified:", "ko": "더는 확인되지 않는 문장:"},
    "derived_now": {"en": "derived again: {formulas}", "ko": "다시 계산해 확인됨: {formulas}"},
    "searched_for": {"en": "Searched for: {question}", "ko": "검색한 질문: {question}"},
    "passages": {"en": "The passages it was given:", "ko": "주어진 구절:"},
    "interrupted": {"en": "Stopped. The session goes on.", "ko": "멈췄습니다. 대화는 이어집니다."},
    "score": {"en": "score {score:.3f}", "ko": "점수 {score:.3f}"},
    "dense_rank": {"en": "meaning #{rank}", "ko": "의미 #{rank}"},
    "keyword_rank": {"en": "words #{rank}", "ko": "낱말 #{rank}"},
    "cosine": {"en": "cosine {cosine:.2f}", "ko": "코사인 {cosine:.2f}"},
    "routed": {"en": "document named in the question", "ko": "질문에 나온 문서"},
    "rerank": {"en": "rerank {score:.3f}", "ko": "재순위 {score:.3f}"},
    "tokens": {"en": "{input:,} + {output:,} tokens", "ko": "토큰 {input:,} + {output:,}"},
    "price_unknown": {"en": "price unknown", "ko": "가격 모름"},
    "from_the_cache": {"en": "{count} from the cache", "ko": "{count}번은 캐시에서"},
    "seconds": {"en": "{seconds:.1f} s", "ko": "{seconds:.1f}초"},
    "saved": {
        "en": "Saved with its proof: {path}. `rag verify {path}` proves it again.",
        "ko": "근거와 함께 저장했습니다: {path}. `rag verify {path}`로 다시 확인할 수 있습니다.",
    },
    "picture": {"en": "Picture: {path}", "ko": "그림: {path}"},
    "page_gone": {"en": "The page is gone.", "ko": "그 쪽이 없어졌습니다."},
    "page_not_indexed": {
        "en": "Page {page} is no longer in the index.",
        "ko": "{page}쪽은 이제 색인에 없습니다.",
    },
    "page_changed": {
        "en": "The page has changed since the answer was given.",
        "ko": "답을 한 뒤에 쪽이 바뀌었습니다.",
    },
    "session_kept": {
        "en": "The session is kept: rag chat --resume {name}",
        "ko": "대화를 저장했습니다: rag chat --resume {name}",
    },
    "session_so_far": {
        "en": "Session {name}, turns so far: {count}.",
        "ko": "대화 {name}, 지금까지 질문 {count}개.",
    },
}


def say(key: str, language: Language, **values: object) -> str:
    """The message `key` in `language`."""
    return _MESSAGES[key][language].format(**values)
