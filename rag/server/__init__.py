"""pagequote for other programs: an MCP server for agents and an OpenAI-compatible HTTP server.

Both are thin over `rag.server.service`, and answer in the JSON forms of the command line.
"""
