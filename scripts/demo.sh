#!/bin/sh
# Index the sample documents and ask three questions: one English, one Korean, one that they do not answer.
set -eu
index=$1
rag=${RAG:-rag}
unset OPENAI_API_KEY AZURE_OPENAI_API_KEY RAG_MODEL RAG_EMBEDDINGS RAG_INDEX 2>/dev/null || true
export RAG_OFFLINE=1

say() { printf '\n\033[1m$ rag %s\033[0m\n' "$*"; }

say "ingest data/sample"
"$rag" ingest data/sample --index "$index"

ask() {
    say "ask '$1'"
    code=0
    "$rag" ask "$1" --index "$index" || code=$?
    # 4 says that the documents do not hold the answer, which is the right answer to the last question
    [ "$code" -eq 0 ] || [ "$code" -eq 4 ] || exit "$code"
}
