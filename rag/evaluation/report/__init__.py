"""Reports that people read: one self-contained HTML file, and Markdown for a pull request."""
