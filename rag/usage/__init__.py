"""Tokens and money: prices, the cap of a command, the usage log, and replies kept for identical calls.

Import the modules by name; this package imports none of them.
"""
