"""Readers: one file of a format in, pages of lines out."""
