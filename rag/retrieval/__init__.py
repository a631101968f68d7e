"""Finding the pages that hold an answer: dense and keyword search, fused, routed and diversified."""
