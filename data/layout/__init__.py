"""Lays out the light markup of `data/sources` as PDF, for the sample documents only."""
