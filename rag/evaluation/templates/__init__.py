"""Prompts of the evaluation as YAML files: for drafting questions and for judging answers."""
