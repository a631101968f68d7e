"""Turns the lines of a page into text that can be searched and quoted."""
