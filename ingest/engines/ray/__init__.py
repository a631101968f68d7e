"""The engine of a Ray cluster: a Ray Data pipeline of two stages, and a desk that keeps its books.

    files ──▶ ReadFiles ──▶ frames ──▶ EmbedChunks ──▶ frames with vectors ──▶ this process writes the index
              (actors)                 (actors)
                  └────────── the desk (one actor beside this process) ──────────┘
                   money, rate limits, claims on texts, passwords, the cache of an index in a folder

`ray` is imported by the modules that need it, and by none of them before the engine is used.
"""
