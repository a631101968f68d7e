#!/bin/sh
# Index the sample documents and ask three questions: one English, one Korean, one that they do not answer.
# Offline, without a key. Ends with code 0 only when two answers are verified and the third question is declined.
set -eu
index=${1:-.build/demo-index}
rag=${RAG:-rag}
for name in $(env | sed -n 's/^\(RAG_[A-Z_]*\)=.*/\1/p') OPENAI_API_KEY AZURE_OPENAI_API_KEY; do
    [ "$name" = RAG_CACHE_DIR ] || unset "$name"
done
export RAG_OFFLINE=1 RAG_MODEL=extractive RAG_EMBEDDINGS=e5-small

say() { printf '\n\033[1m$ rag %s\033[0m\n' "$*"; }

# ask CODE QUESTION: 0 says answered, 4 that the documents do not hold the answer
ask() {
    say "ask '$2'"
    code=0
    "$rag" ask "$2" --index "$index" || code=$?
    if [ "$code" -ne "$1" ]; then
        echo "This should have ended with code $1, not $code." >&2
        exit 1
    fi
}

say "ingest data/sample"
"$rag" ingest data/sample --index "$index"
ask 0 'When did MV Tern hit the breakwater?'
ask 0 '병가가 며칠 이상이면 진단서를 내야 하나요?'
ask 4 'How many lifeboats does MV Northern Fulmar carry?'
printf '\nThe index is kept in %s: ask your own questions with --index %s.\n' "$index" "$index"
