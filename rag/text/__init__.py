"""Pure functions over text: normalisation, sentences, keywords, quotes, facts, token counts.

Nothing here reads a file or knows of an index. Import the modules by name; this package imports none of them.
"""
