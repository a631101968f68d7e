"""Tokens and money: prices, the cap of a command, the usage log, and replies kept so that no call is paid for twice.

Import the modules by name; this package imports none of them.
"""
