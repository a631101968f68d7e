"""Models and embeddings, each behind a `provider:model` name."""
