"""Ask a folder of PDFs; every answer quotes the page."""

__version__ = "0.1.0"
