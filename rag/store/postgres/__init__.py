"""The index in PostgreSQL with pgvector: the same rows as in a folder, with vectors and keywords beside them.

Nothing is derived into files: what a file adds is searchable as soon as its generation is published, which is one
UPDATE. A schema of the database holds one index.
"""
