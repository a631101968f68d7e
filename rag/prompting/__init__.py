"""Prompt templates: YAML files with messages, few-shot examples and sampling, rendered through LangChain.

Import the modules by name; this package imports none of them, so that `rag --help` stays quick.
"""
