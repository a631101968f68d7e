"""Is it right, and did this change make it worse: question sets, metrics, runs, comparisons and reports."""
