"""The pages as Streamlit draws them. They hold nothing: what lasts is in `rag.ui.sessions` and `rag.ui.workspace`."""
