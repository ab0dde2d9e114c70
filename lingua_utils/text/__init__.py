"""Parallel text: the languages, what is generated, what is read, what is published."""
