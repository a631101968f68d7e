"""Reads PDF files: PDFium first, pypdf as the second opinion, Tesseract for scanned pages when asked."""
