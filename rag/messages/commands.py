"""What the commands say beside an answer: `rag ask --save`, `rag show`, `rag verify` and `rag chat`."""

MESSAGES: dict[str, tuple[str, str]] = {
    # rag ask
    "command.unverified_text": (
        "The reply broke off here, and nothing in it is verified.",
        "응답이 여기서 끊겼고, 위 내용은 확인되지 않았습니다.",
    ),
    "command.saved": (
        "Saved: {path}. `rag verify {path}` checks it again.",
        "저장했습니다: {path}. `rag verify {path}`로 다시 확인할 수 있습니다.",
    ),
    # rag show
    "command.difference": (
        "[-claimed-] and {{+on the page+}}: {difference}",
        "[-인용한 문구-]와 {{+페이지의 문구+}}: {difference}",
    ),
    "command.not_on_page": ("The quote is not on this page.", "이 페이지에 해당 인용문이 없습니다."),
    "command.picture": ("Picture: {path}", "그림: {path}"),
    "command.page_gone": ("The page no longer exists.", "해당 페이지가 더 이상 없습니다."),
    "command.page_not_indexed": (
        "Page {page} is no longer in the index.",
        "{page}쪽은 더 이상 색인에 없습니다.",
    ),
    "command.page_changed": (
        "The page has changed since the answer was given.",
        "답변 이후에 페이지가 변경되었습니다.",
    ),
    # rag verify
    "command.verify_proven": ("verified", "확인됨"),
    "command.verify_page_edited": (
        "page edited, quote unchanged",
        "페이지는 수정되었으나 인용문은 그대로 있음",
    ),
    "command.verify_moved": ("moved to page {page}", "{page}쪽으로 이동함"),
    "command.verify_gone": ("no longer in this file", "이 파일에 더 이상 없음"),
    "command.verify_page_removed": ("page removed", "페이지가 삭제됨"),
    "command.verify_document_changed_or_gone": ("document changed or gone", "문서가 바뀌었거나 없어짐"),
    "command.verify_was_not_proven": ("was not verified when it was saved", "저장할 때에도 확인되지 않음"),
    "command.verify_weakened": ("No longer verified: {sentence}", "더 이상 확인되지 않는 문장: {sentence}"),
    "command.verify_derived": ("Derived again: {formulas}", "다시 계산해 확인됨: {formulas}"),
    # rag chat
    "command.chat_passages": ("The passages it was given:", "제공된 구절:"),
    "command.chat_interrupted": ("Stopped. The session goes on.", "중단했습니다. 대화는 계속됩니다."),
    "command.chat_saved": (
        "The session is saved: rag chat --resume {name}",
        "대화를 저장했습니다: rag chat --resume {name}",
    ),
    "command.chat_resumed": (
        "Session {name}, questions so far: {count:,}.",
        "대화 {name}, 지금까지 질문 {count:,}개.",
    ),
}
