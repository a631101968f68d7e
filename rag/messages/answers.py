"""What is said with an answer and a search (on the command line, on the web page and in `--json`), and what `rag ask
--save`, `rag show`, `rag verify` and `rag chat` say beside it.
"""

MESSAGES: dict[str, tuple[str, str]] = {
    # the answer
    "answer.declined": ("These documents do not hold the answer.", "이 문서들에는 답이 없습니다."),
    "answer.nearest": ("What comes nearest:", "가장 가까운 문장:"),
    "answer.searched_for": ("Searched for: {question}", "검색한 질문: {question}"),
    "answer.continuing": ("Continuing: {subject}", "이어서 묻는 내용: {subject}"),
    "answer.name_a_document": (
        "{count} documents are indexed: name one to learn more about it.",
        "색인된 문서는 {count}개입니다. 문서 이름을 대면 더 자세히 알려 드립니다.",
    ),
    "answer.evidence": ("evidence: {level}", "근거: {level}"),
    "answer.evidence_low": ("low", "약함"),
    "answer.evidence_medium": ("medium", "보통"),
    "answer.evidence_high": ("high", "강함"),
    "answer.small_talk": (
        "I answer questions about the indexed documents: ask one whenever you like.",
        "색인된 문서에 관한 질문에 답합니다. 궁금한 것을 물어보세요.",
    ),
    "answer.part_missing": ("Not in these documents: {question}", "이 문서들에 없는 내용: {question}"),
    "answer.tokens": ("{input:,} + {output:,} tokens", "토큰 {input:,} + {output:,}"),
    "answer.price_unknown": ("price unknown", "가격 정보 없음"),
    "answer.cached": ("{count:,} from the cache", "캐시 {count:,}건"),
    "answer.seconds": ("{seconds:.1f} s", "{seconds:.1f}초"),
    # sentences
    "answer.verified": ("verified", "확인됨"),
    "answer.quoted": ("word for word", "페이지에 적힌 그대로"),
    "answer.entailed": ("follows from the quote", "인용문에서 따라 나옴"),
    "answer.weak": ("read the quote: code cannot tell", "인용문 확인 필요: 프로그램이 판단하지 못함"),
    "answer.nothing_verified": (
        "Careful: no sentence of this answer is verified. Read the quotes.",
        "주의: 이 답에는 확인된 문장이 없습니다. 인용문을 직접 읽어 보세요.",
    ),
    "answer.unsupported": ("not supported by a quote", "근거 없음"),
    "answer.contradicted": ("the quote says otherwise", "인용문의 내용과 다름"),
    "answer.derived": ("derived", "계산한 값"),
    "answer.facts_missing": ("not in the quotes: {facts}", "인용문에 없음: {facts}"),
    "command.chat_header": (
        "{model}, prompt {prompt}. /help lists the commands.",
        "모델 {model}, 템플릿 {prompt}. 명령은 /help로 볼 수 있습니다.",
    ),
    "command.chat_help": (
        """\
/sources         the quotes of the last answer, and the other passages it was given
/open N          quote N on its page, and a picture of the page
/alone [TEXT]    ask TEXT, or the last question again, without what was said before
/prompt [NAME]   use another prompt template, or print which one is in use
/model [SPEC]    use another model, or print which one is in use
/save [FILE]     save the last answer with its citations
/help            this list
/quit            leave (so does Ctrl-D); the session is saved""",
        """\
/sources         마지막 답의 인용문과 함께 찾은 다른 구절
/open N          N번 인용문을 해당 쪽과 그 그림으로 보기
/alone [질문]    앞의 대화 없이 질문하기, 질문이 없으면 마지막 질문을 다시
/prompt [이름]   다른 프롬프트 템플릿 사용, 이름이 없으면 지금 템플릿 표시
/model [모델]    다른 모델 사용, 이름이 없으면 지금 모델 표시
/save [파일]     마지막 답을 인용과 함께 저장
/help            이 목록
/quit            끝내기(Ctrl-D도 같음), 대화는 저장됨""",
    ),
    "command.chat_not_saved": (
        "The session cannot be saved: no folder for it can be written.",
        "대화를 저장할 수 없습니다. 저장할 폴더에 쓸 권한이 없습니다.",
    ),
    "command.error": ("Error: {sentence}", "오류: {sentence}"),
    # citations
    "answer.page": ("page {page}", "{page}쪽"),
    "answer.slide": ("slide {page}", "슬라이드 {page}"),
    "answer.sheet": ("sheet {label}", "시트 {label}"),
    "answer.cell": ("cell {label}", "셀 {label}"),
    "answer.section": ("section {section}, paragraph {paragraph}", "구역 {section}, 문단 {paragraph}"),
    "answer.page_printed": ("page {page} (printed as {label})", "{page}쪽(인쇄된 번호 {label})"),
    "answer.quote_found": ("found on the page", "페이지에서 확인됨"),
    "answer.quote_moved": (
        "found on another page; the page number is corrected",
        "다른 페이지에서 확인됨(쪽 번호를 바로잡음)",
    ),
    "answer.quote_altered": ("altered: the page says otherwise", "변형됨: 페이지 내용과 다름"),
    "answer.quote_missing": ("not found in the documents", "문서에서 찾을 수 없음"),
    "answer.ocr": ("read by OCR", "OCR로 읽음"),
    "answer.no_such_passage": (
        "Cites passage {number}, which does not exist.",
        "구절 {number}을(를) 인용했지만 그런 구절은 없습니다.",
    ),
    "answer.other_file": (
        "Cited as {claimed_file}, page {claimed}; found in {file}, page {page}.",
        "{claimed_file} {claimed}쪽으로 인용했지만 {file} {page}쪽에 있습니다.",
    ),
    "answer.other_page": (
        "Cited as page {claimed}; found on page {page}.",
        "{claimed}쪽으로 인용했지만 {page}쪽에 있습니다.",
    ),
    "answer.altered": ("The page says this in other words.", "페이지에는 다르게 적혀 있습니다."),
    "answer.missing": (
        "These words are on none of the retrieved pages.",
        "검색된 페이지 어디에도 없는 문구입니다.",
    ),
    "answer.table_period": (
        "The table has {value} under {header}, not for the period that is stated.",
        "표에서 {value}은(는) {header}의 값입니다. 말한 기간의 값이 아닙니다.",
    ),
    "answer.table_item": ("The table has {value} for {header}.", "표에서 {value}은(는) {header}의 값입니다."),
    "answer.table_unit": (
        "The table states {value} in another unit: {header}.",
        "표의 {value}은(는) 단위가 다릅니다: {header}.",
    ),
    "answer.table_sign": (
        "The table has {value} for {header}: the sign differs.",
        "표에서 {header}의 값은 {value}입니다. 부호가 다릅니다.",
    ),
    "answer.no_quote": ("Cited without a quote.", "인용문 없이 출처만 표시했습니다."),
    # why there is no answer
    "answer.nothing_found": (
        "Nothing in the index comes near the question.",
        "색인에 질문과 관련된 내용이 없습니다.",
    ),
    "answer.asks_nothing": (
        "The question names nothing to look for: say what it is about.",
        "질문에 검색할 키워드가 없습니다. 무엇에 관한 질문인지 적어 주세요.",
    ),
    "answer.empty_index": (
        "The index is empty: `rag ingest FOLDER` fills it.",
        "색인이 비어 있습니다. `rag ingest 폴더`로 문서를 추가하세요.",
    ),
    "answer.nothing_allowed": (
        "No page matches {where}: `rag status` lists the files.",
        "{where} 조건에 맞는 페이지가 없습니다. 파일 목록은 `rag status`로 볼 수 있습니다.",
    ),
    "answer.too_weak": (
        "What was found does not answer the question closely enough.",
        "찾은 내용만으로는 질문에 답하기에 근거가 부족합니다.",
    ),
    "answer.missing_words": (
        "Words of the question that are not in it: {words}.",
        "찾은 내용에 없는 질문의 키워드: {words}.",
    ),
    "answer.model_declined": (
        "The model read the passages and found no answer in them.",
        "모델이 구절을 읽었지만 답을 찾지 못했습니다.",
    ),
    "answer.told_instead": (
        "The model found no answer. This is the sentence of the documents that most likely answers, word for word.",
        "모델은 답을 찾지 못했습니다. 문서에서 답일 가능성이 가장 높은 문장을 그대로 보여 드립니다.",
    ),
    "answer.told_in_place": (
        "The model's answer could not be verified. This is the sentence of the documents that most likely answers,"
        " word for word.",
        "모델의 답변은 확인되지 않았습니다. 문서에서 답일 가능성이 가장 높은 문장을 그대로 보여 드립니다.",
    ),
    "answer.neither_sure": (
        "No sentence of the model's answer could be verified, and what was found does not answer the question closely"
        " enough.",
        "모델의 답변에서 확인된 문장이 없고, 찾은 내용만으로는 질문에 답하기에 근거가 부족합니다.",
    ),
    "answer.no_sentence": (
        "No sentence of the passages answers the question.",
        "구절 가운데 질문에 답하는 문장이 없습니다.",
    ),
    "answer.unfounded": (
        "An answer was written, but nothing in it is supported by what it cites.",
        "답변은 나왔지만 인용한 내용에서 근거를 찾을 수 없습니다.",
    ),
    "answer.no_quote_verified": (
        "An answer was given, but none of its quotes could be found in the documents.",
        "답변은 나왔지만 그 인용문을 문서에서 하나도 찾지 못했습니다.",
    ),
    "answer.no_sentence_verified": (
        "No sentence of the answer could be verified in full, and only such sentences may be shown (--strict).",
        "답변에 완전히 확인된 문장이 없습니다(--strict에서는 확인된 문장만 표시합니다).",
    ),
    # notes
    "answer.beside_question": (
        "The pages say this, but it may not be what was asked: read the quotes.",
        "문서에 있는 내용이지만 질문에 대한 답이 아닐 수 있으니 인용문을 읽어 보세요.",
    ),
    "answer.repaired": (
        "Citations corrected, because another sentence of the passages says it: {count}.",
        "구절의 다른 문장에 그 내용이 있어 인용을 고친 문장: {count}개.",
    ),
    "answer.images": (
        "Pictures of pages shown to the model: {count}. What it says is checked against the words of the pages.",
        "모델에 페이지 그림 {count}장도 보여 주었습니다. 그림에서 읽은 내용은 페이지의 글로만 확인합니다.",
    ),
    "answer.not_checked": (
        "The model could not check the sentences that rules leave open: {reason}",
        "규칙으로 판단하지 못한 문장을 모델로 확인하지 못했습니다: {reason}",
    ),
    "answer.withheld": (
        "Withheld because they could not be verified: {withheld} of {all} sentences.",
        "확인되지 않아 표시하지 않은 문장: {all}개 중 {withheld}개.",
    ),
    "answer.also_declined": (
        "The model also said that the documents do not hold the answer.",
        "모델은 문서에 답이 없다고도 했습니다.",
    ),
    "answer.addressed_to_model": (
        "A quoted sentence tells its reader or a model what to answer; it is an instruction and not a statement.",
        "인용된 문장 가운데 사실이 아니라 독자나 모델에게 어떻게 답할지를 지시하는 문장이 있습니다.",
    ),
    "answer.document_outdated": (
        "{file} has changed or is gone since it was indexed: nothing in it counts as found. Run `rag ingest`.",
        "{file}: 색인된 뒤 바뀌었거나 없어져 확인된 것으로 보지 않습니다. `rag ingest`를 실행하세요.",
    ),
    "answer.fewer_passages": (
        "Only {used} of {found} passages fit into the model's context.",
        "모델의 문맥 길이 때문에 구절 {found}개 중 {used}개만 사용했습니다.",
    ),
    "answer.estimated": (
        "The server did not report the tokens; they are estimated.",
        "서버가 토큰 수를 알려 주지 않아 추정한 값입니다.",
    ),
    "answer.cut_reply": (
        "The reply reached its longest allowed length and may be incomplete (--max-tokens).",
        "답변이 최대 길이에 도달해 끝이 잘렸을 수 있습니다(--max-tokens).",
    ),
    "answer.not_searchable": (
        "{files:,} of {all_files:,} files and {pages:,} of {all_pages:,} pages are not searchable:"
        " `rag status --failed` says why.",
        "파일 {all_files:,}개 중 {files:,}개, {all_pages:,}쪽 중 {pages:,}쪽은 검색할 수 없습니다."
        " 이유는 `rag status --failed`로 볼 수 있습니다.",
    ),
    "answer.files_not_searchable": (
        "{files:,} of {all_files:,} files are not searchable: `rag status --failed` says why.",
        "파일 {all_files:,}개 중 {files:,}개는 검색할 수 없습니다."
        " 이유는 `rag status --failed`로 볼 수 있습니다.",
    ),
    "answer.pages_not_searchable": (
        "{pages:,} of {all_pages:,} pages are not searchable: `rag status --failed` says why.",
        "{all_pages:,}쪽 중 {pages:,}쪽은 검색할 수 없습니다. 이유는 `rag status --failed`로 볼 수 있습니다.",
    ),
    # a search: why a passage was found, and what a model's help with it took
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
    # any command
    "command.trying_again": (
        "No answer from {server} yet, trying again ({number} of {all}).",
        "{server}: 아직 응답이 없어 다시 시도합니다({all}번 중 {number}번째).",
    ),
    "command.stopped": ("Stopped.", "중단했습니다."),
    "command.stopped_ingest": (
        "Stopped. What was finished is kept; run the same command again to go on from there.",
        "중단했습니다. 처리가 끝난 파일은 보관되어 있습니다. 같은 명령을 다시 실행하면 이어서 진행합니다.",
    ),
    "command.stopped_eval": (
        "Stopped. {count:,} of {all:,} questions are answered and kept in {folder}; run the same command again to go"
        " on from there.",
        "중단했습니다. 질문 {all:,}개 중 {count:,}개의 답이 {folder}에 보관되어 있습니다. 같은 명령을 다시 실행하면"
        " 이어서 진행합니다.",
    ),
    # rag cost
    "command.cost_total": ("In all: {cost}", "합계: {cost}"),
    "command.cost_unknown": (
        "The price of {calls:,} calls is not known: give the prices in a file named by RAG_PRICES.",
        "호출 {calls:,}건은 가격을 알 수 없습니다. RAG_PRICES로 지정한 파일에 가격을 적어 주세요.",
    ),
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
    "command.drafts_by_rule": (
        "No sentence is left that becomes a question by rule: a chat model (--model) drafts {count}.",
        "규칙으로 질문을 만들 수 있는 문장이 더 없습니다. 채팅 모델(--model)을 쓰면 {count}개를 만듭니다.",
    ),
    "command.chat_alone": (
        "/alone asks this without what was said before.",
        "/alone을 입력하면 앞의 대화 없이 이 질문만 다시 묻습니다.",
    ),
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
