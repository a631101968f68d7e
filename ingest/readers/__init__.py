"""Parts of the readers of everything that is not a PDF."""
