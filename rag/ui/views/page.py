"""The script that Streamlit runs for every visitor and every click."""

from rag.ui.views.frame import show

show()
