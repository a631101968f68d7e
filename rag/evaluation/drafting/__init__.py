"""Drafts of question sets, made from the pages of an index for a person to edit."""
