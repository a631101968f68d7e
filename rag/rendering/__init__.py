"""Showing evidence: a quote marked on a picture of its page, and untrusted text made safe to print."""
