"""Servers that tests talk to over real loopback sockets."""
