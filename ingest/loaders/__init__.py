"""Readers of everything that is not a PDF."""
