"""Metrics without a judge, each a plain function of plain values."""
