"""The texts of the chat on the web page, and around it. What is said of an answer is in `rag.messages.answers`."""

MESSAGES: dict[str, tuple[str, str]] = {
    # around every page
    "page.ask": ("Ask", "질문"),
    "page.documents": ("Documents", "문서"),
    "page.evaluation": ("Evaluation", "평가"),
    "page.settings": ("Settings", "설정"),
    "page.language": ("Language", "언어"),
    "page.this_session": ("This session", "현재 대화"),
    "page.session_name": ("Name", "이름"),
    "page.find_session": ("Search sessions", "대화 검색"),
    "page.delete_session": ("Delete the session", "대화 삭제"),
    "page.delete_sure": ("Delete this session for good?", "이 대화를 완전히 삭제할까요?"),
    "page.date": ("{day} {month}", "{month}월 {day}일"),
    "page.sign_out": ("Sign out", "로그아웃"),
    "page.copied": ("Copied", "복사했습니다"),
    "page.close": ("Close (Esc)", "닫기(Esc)"),
    "page.streamlit_browse": ("Browse files", "파일 선택"),
    "page.streamlit_drop": ("or drop them here", "또는 여기에 끌어다 놓으세요"),
    "page.new_session": ("New session", "새 대화"),
    "page.export_session": ("Export with saved answers", "대화 내보내기"),
    "page.export_document": ("Download as a Word document", "Word 문서로 다운로드"),
    "page.open_session": ("Open an exported session", "내보낸 대화 열기"),
    "page.shared_note": (
        "Several people can use this page at once. Anyone who has the address of a session can open it: share it"
        " with care.",
        "여러 사람이 동시에 사용할 수 있습니다. 대화 주소를 아는 사람은 누구나 그 대화를 볼 수 있으니"
        " 공유에 주의하세요.",
    ),
    # asking
    "page.ask_title": ("Ask your documents", "문서에 질문하기"),
    "page.ask_intro": (
        "Every answer quotes the page it comes from, and each quote is checked against that page. Press a number such"
        " as [1] to see it there.",
        "답변마다 근거 페이지를 인용하고, 인용문이 실제로 그 페이지에 있는지 확인합니다. [1] 같은 번호를 누르면"
        " 원문이 열립니다.",
    ),
    "page.ask_placeholder": ("Ask a question about your documents", "문서에 대해 질문하세요"),
    "page.task": ("Task", "작업"),
    "page.coverage": (
        "Searchable files: {files:,}, pages: {pages:,}.",
        "검색할 수 있는 파일 {files:,}개, {pages:,}쪽.",
    ),
    "page.coverage_missing": (
        "Searchable files: {files:,}, pages: {pages:,}. Not searchable files: {missing:,}; Documents says"
        " why.",
        "검색할 수 있는 파일 {files:,}개, {pages:,}쪽. 검색할 수 없는 파일 {missing:,}개의 이유는 문서"
        " 탭에 있습니다.",
    ),
    "page.drop_placeholder": (
        "Drop files, {size} MB at most",
        "파일을 놓으세요(최대 {size} MB)",
    ),
    "page.own_documents": ("Your documents", "내 문서"),
    "page.own_documents_more": (
        "Drop PDF, Word, PowerPoint, Excel, HWP, Markdown, text, HTML or CSV files into the box below, at most"
        " {size} MB each, or choose a folder.",
        "PDF, 한글(HWP), Word, PowerPoint, Excel, 마크다운, 텍스트, HTML, CSV 파일을 아래 입력란에 끌어다"
        " 놓거나(파일당 최대 {size} MB) 폴더를 지정하세요.",
    ),
    "page.sample": ("Sample documents", "예제 문서"),
    "page.sample_more": (
        "Try it first with 15 short documents in English and Korean: an annual report, a manual, rules, minutes.",
        "사업보고서, 사용 설명서, 규정, 회의록 등 한국어와 영어로 된 짧은 문서 15개로 먼저 사용해 보세요.",
    ),
    "page.sample_button": ("Try the sample", "예제로 시작하기"),
    "page.sample_question_1": (
        "How much profit before tax did Harrow Sound Ferries make in 2023?",
        "본인이 결혼하면 회사에서 경조금을 얼마나 주나요?",
    ),
    "page.sample_question_2": (
        "Which shipyard is building the new hybrid ferry?",
        "새터환승주차장 발전소는 언제 가동을 시작했나요?",
    ),
    "page.sample_question_3": (
        "How late may a ferry arrive and still be counted as on time?",
        "10년 근속하면 받는 여행 지원금은 얼마인가요?",
    ),
    "page.try_these": ("Questions to begin with", "이런 질문으로 시작해 보세요"),
    "page.ask_now": ("Ready. Ask now.", "준비되었습니다. 이제 질문하세요."),
    "page.suggest_figure": ("What was {row} in {column}?", "{column} {row} 값은 얼마인가요?"),
    "page.suggest_heading": ("What does the document say about {heading}?", "{heading}에 대해 알려 주세요."),
    "page.rate_limited": (
        "The model's server is busy (rate limit). Trying again in {seconds} s …",
        "모델 서버의 요청 한도에 걸렸습니다. {seconds}초 뒤에 다시 시도합니다 …",
    ),
    "page.trying_again": (
        "The model's server did not answer. Trying again in {seconds} s …",
        "모델 서버가 응답하지 않았습니다. {seconds}초 뒤에 다시 시도합니다 …",
    ),
    # what can be done with an answer
    "page.ask_again": ("Try again", "다시 시도"),
    "page.copy": ("Copy the answer with its quotes", "답변과 인용문 복사"),
    "page.edit_question": ("Edit the question", "질문 수정"),
    "page.regenerate": ("Answer in another way", "다른 방식으로 답변"),
    "page.answer_again": ("Answer again", "다시 답변"),
    "page.export_answer": ("Download the answer", "답변 다운로드"),
    "page.earlier_answer": ("Earlier answer", "이전 답변"),
    "page.later_answer": ("Later answer", "다음 답변"),
    "page.answer_of": ("Answer {shown} of {all}", "답변 {all}개 중 {shown}번째"),
    "page.what_is_right": ("What is right?", "올바른 답은?"),
    "page.right_answer_is": ("The right answer", "올바른 답"),
    "page.not_in_documents": ("The documents do not hold the answer", "문서에 답이 없음"),
    "page.keep": ("Save", "저장"),
    "page.feedback_note": (
        "Goes into the question set {file} for `rag eval`.",
        "`rag eval`에 쓰는 질문 모음 {file}에 저장됩니다.",
    ),
    "page.feedback_kept": ("Saved for `rag eval`.", "`rag eval`용으로 저장했습니다."),
    "page.builtin": ("Built-in answerer", "내장 응답기"),
    "page.searched_in": ("searched: {documents}", "검색한 문서: {documents}"),
    "page.all_documents": ("all documents", "모든 문서"),
    "page.all_count": ("All {count:,} documents", "모든 문서 {count:,}개"),
    "page.some_documents": ("{first} and {more:,} more", "{first} 외 {more:,}개"),
    "page.folders": ("Only these folders", "선택한 폴더에서만 검색"),
    "page.choose_documents": ("All documents", "모든 문서"),
    "page.variables": ("Options", "옵션"),
    "page.task_few_shot": ("Answer", "답변"),
    "page.task_concise": ("Short", "짧게"),
    "page.task_table": ("As a table", "표로"),
    "page.task_compare": ("Compare", "비교"),
    "page.task_summarize": ("Summarize", "요약"),
    "page.task_explain": ("Explain simply", "쉽게 설명"),
    "page.task_translate": ("Translate", "번역"),
    "page.task_correct": ("Correct spelling", "맞춤법 교정"),
    "page.task_persona": ("As a persona", "역할 지정"),
    "page.task_one_shot": ("Answer, one example (one-shot)", "답변, 예시 1개(one-shot)"),
    "page.task_zero_shot": ("Answer, no example (zero-shot)", "답변, 예시 없음(zero-shot)"),
    "page.add_documents": ("Add documents", "문서 추가"),
    "page.searching": ("Searching the documents …", "문서 검색 중 …"),
    "page.writing": (
        "Writing. Nothing here is verified yet …",
        "답변 작성 중입니다. 아직 확인되지 않은 내용입니다 …",
    ),
    "page.stop": ("Stop", "중단"),
    "page.waiting_for_model": (
        "Waiting for the model, {seconds} s …",
        "모델의 답변을 기다리는 중 … {seconds}초",
    ),
    "page.interrupted": (
        "The server was restarted before there was an answer.",
        "답변이 나오기 전에 서버가 다시 시작되었습니다.",
    ),
    "page.stopped": ("Stopped before there was an answer.", "답변이 나오기 전에 중단했습니다."),
    "page.verified_why": (
        "A quote that was found on the page word for word backs this sentence.",
        "페이지에서 글자 그대로 확인된 인용문이 이 문장을 뒷받침합니다.",
    ),
    "page.weak_why": (
        "The quote is on the page, but code cannot tell whether it says all of this. Read it.",
        "인용문은 페이지에 있지만 문장의 내용을 모두 담고 있는지 프로그램이 판단하지 못합니다. 직접 읽어 보세요.",
    ),
    "page.unsupported_why": (
        "No quote that was found on a page backs this sentence. Do not rely on it.",
        "이 문장을 뒷받침하는 인용문이 없습니다. 신뢰하지 마세요.",
    ),
    "page.derived_why": (
        "This figure is on no page: it was computed from the quoted ones. Check the formula.",
        "페이지에 적힌 값이 아니라 인용한 수치로 계산한 값입니다. 계산식을 확인하세요.",
    ),
    "page.marks": ("What the marks mean", "표시 설명"),
    "page.stale": (
        "Documents behind this answer have been removed or changed since. The verdicts below are those of today.",
        "이 답변의 근거 문서가 그 뒤에 제거되었거나 바뀌었습니다. 아래 표시는 현재 문서로 다시 확인한 결과입니다.",
    ),
    # a quote on its page
    "page.quote_title": ("On the page", "원문 보기"),
    "page.page_short": ("p. {page}", "{page}쪽"),
    "page.open_citation": ("Citation {n}: {file}, {page}", "인용 {n}: {file} {page}"),
    "page.citations": ("Citations of this answer", "이 답변의 인용"),
    "page.copy_link": ("Copy a link to this page", "이 페이지 링크 복사"),
    "page.page_box": ("Page", "페이지"),
    "page.of_pages": ("of {pages:,}", "/ {pages:,}쪽"),
    "page.smaller": ("Smaller", "축소"),
    "page.larger": ("Larger", "확대"),
    "page.fit": ("Fit the width", "너비에 맞춤"),
    "page.find_in_document": ("Find in this document", "이 문서에서 찾기"),
    "page.found_pages": ("Pages with these words: {count:,}", "찾은 페이지 {count:,}개"),
    "page.found_none": ("These words are not in the document.", "찾는 내용이 문서에 없습니다."),
    "page.back_to_quote": ("Back to the quote", "인용문으로 돌아가기"),
    "page.thumbnails": ("Pages at a glance", "페이지 미리보기"),
    "page.document_removed": (
        "{file} is no longer in the index: its quotes cannot be checked any more.",
        "{file} 문서는 색인에서 제거되어 인용문을 더 이상 확인할 수 없습니다.",
    ),
    "page.page_of": ("Page {page} of {pages}", "전체 {pages}쪽 중 {page}쪽"),
    "page.previous": ("Previous page", "이전 페이지"),
    "page.next": ("Next page", "다음 페이지"),
    "page.download": ("Download the document", "문서 다운로드"),
    "page.page_text": ("Text of this page", "페이지 텍스트"),
    "page.picture_alt": (
        "Page {page} of {file}, the quote marked in yellow: {quote}",
        "{file} {page}쪽, 노란색으로 표시된 인용문: {quote}",
    ),
    "page.picture_alt_plain": ("Page {page} of {file}", "{file} {page}쪽"),
    "page.original_changed": (
        "The document is no longer there, or has changed since it was indexed. This is the text that was"
        " indexed.",
        "문서가 없거나 색인한 뒤에 변경되었습니다. 아래는 색인된 텍스트입니다.",
    ),
    "page.original_no_pages": (
        "This document has no drawn pages. This is its text.",
        "페이지 이미지가 없는 문서입니다. 아래는 문서의 텍스트입니다.",
    ),
    "page.not_marked": ("The quote is on another page.", "인용문은 다른 페이지에 있습니다."),
    # errors by their class; in English the error's own sentence is shown
    "page.error_Stopped": ("Stopped before there was an answer.", "답변이 나오기 전에 중단했습니다."),
    "page.error_AuthenticationFailed": ("The API key was refused.", "API 키가 거부되었습니다."),
    "page.error_ModelNotFound": ("The server does not know the model.", "서버에 없는 모델입니다."),
    "page.error_RateLimited": (
        "The model's server asked to slow down: try again in a minute.",
        "모델 서버의 요청 한도를 넘었습니다. 1분 뒤에 다시 시도하세요.",
    ),
    "page.error_ServerUnreachable": (
        "The model's server cannot be reached.",
        "모델 서버에 연결할 수 없습니다.",
    ),
    "page.error_ProviderTimeout": (
        "The model's server did not answer in time.",
        "모델 서버가 제시간에 응답하지 않았습니다.",
    ),
    "page.error_BadResponse": (
        "The model's server sent a broken reply.",
        "모델 서버의 응답이 올바르지 않습니다.",
    ),
    "page.error_ContextTooLong": (
        "The question with its passages is too long for the model.",
        "질문과 구절이 모델의 컨텍스트보다 깁니다.",
    ),
    "page.error_MissingCapability": ("The model cannot do this.", "모델이 지원하지 않는 기능입니다."),
    "page.error_MissingExtra": ("An optional package is missing.", "선택 패키지가 설치되어 있지 않습니다."),
    "page.error_NetworkRefused": (
        "Offline mode refused the connection.",
        "오프라인 모드라 연결하지 않았습니다.",
    ),
    "page.error_BudgetReached": ("The cost cap is reached.", "비용 상한에 도달했습니다."),
    "page.error_IndexMissing": ("There is no index yet.", "아직 색인이 없습니다."),
    "page.error_IndexMismatch": (
        "The index was made with other settings.",
        "색인이 다른 설정으로 만들어졌습니다.",
    ),
    "page.error_IndexDamaged": ("The index is damaged.", "색인이 손상되었습니다."),
    "page.error_IndexLocked": (
        "The index is being written: try again when the ingest is done.",
        "색인 작업이 진행 중입니다. 끝난 뒤에 다시 시도하세요.",
    ),
    "page.error_IndexReadOnly": ("The index cannot be written.", "색인에 쓸 수 없습니다."),
    "page.error_SettingsError": ("A setting has a wrong value.", "잘못된 설정값이 있습니다."),
    "page.error_TemplateError": ("The template has a mistake.", "템플릿에 오류가 있습니다."),
    "page.error_UsageError": ("This is not possible.", "요청을 처리할 수 없습니다."),
    "page.error_Unexpected": ("Something unexpected happened.", "예상하지 못한 오류가 발생했습니다."),
}
