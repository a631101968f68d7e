"""The web page: ask, see the evidence on the page, manage documents. Streamlit is imported by `views` alone."""
