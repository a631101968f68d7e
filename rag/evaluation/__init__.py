"""Is it right, and did this change make it worse: question sets, metrics, runs, comparisons and reports.

    questions = load_questions("questions.jsonl")
    with Pipeline.open(".rag", model="extractive") as pipeline:
        evaluated = EvaluatedPipeline(pipeline)
        settings = describe(pipeline)
        outcome = evaluate(questions, "runs/monday", ask=evaluated.ask, search=evaluated.search, settings=settings)
    summarise(outcome.run.records).figures["page_hit@5"]  # its value, interval and number of questions
    compare(load_run("runs/monday"), outcome.run).verdict

`evaluate`, `EvaluatedPipeline` and `describe` are in `running`, `load_run` in `runs`, `load_questions` in
`question_sets`, `summarise` in `metrics`, `compare` in `compare`.
"""
