"""Whose an API key is, asked by the API before every other function."""
