"""Reads folders of documents into an index: find, read in isolation, clean, split, embed, store.

It meets the rest of the project in the index alone. Import the modules by name; this package imports nothing.
"""
