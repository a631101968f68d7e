"""What is said about a search: why a passage was found, and what a model's help with it took."""

MESSAGES: dict[str, tuple[str, str]] = {
    "search.score": ("score {score:.3f}", "점수 {score:.3f}"),
    "search.dense_rank": ("meaning #{rank}", "의미 {rank}위"),
    "search.keyword_rank": ("words #{rank}", "키워드 {rank}위"),
    "search.cosine": ("cosine {cosine:.2f}", "코사인 {cosine:.2f}"),
    "search.routed": ("document named in the question", "질문에 언급된 문서"),
    "search.rerank_score": ("rerank {score:.3f}", "재순위 점수 {score:.3f}"),
    "search.searched_too": ("Also searched for: {queries}", "함께 검색한 질의: {queries}"),
    # steps with a model
    "search.step": ("{step} ({model}): {usage}", "{step}({model}): {usage}"),
    "search.step_rewrite": ("Rewriting", "질의 재작성"),
    "search.step_hypothetical": ("Hypothetical answer", "가상 답변"),
    "search.step_split": ("Splitting", "질문 분해"),
    "search.step_rerank": ("Reranking", "재순위"),
    "search.rewrite_unread": (
        "The model's reply held no other wording of the question; the search went on without.",
        "모델의 답에서 재작성한 질의를 찾지 못해 원래 질문만으로 검색했습니다.",
    ),
    "search.hypothetical_unread": (
        "The model's reply held no passage that could answer the question; the search went on without.",
        "모델의 답에서 가상 답변을 찾지 못해 원래 질문만으로 검색했습니다.",
    ),
    "search.split_unread": (
        "The model's reply held no parts of the question; it was searched for as a whole.",
        "모델의 답에서 나눈 질문을 찾지 못해 질문 전체로 검색했습니다.",
    ),
    "search.rerank_unread": (
        "The model's ratings of the passages could not be read; their order was kept.",
        "모델이 매긴 구절 점수를 읽을 수 없어 순서를 그대로 두었습니다.",
    ),
}
