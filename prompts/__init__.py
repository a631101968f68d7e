"""The prompt templates that come with pagequote, as package data."""
