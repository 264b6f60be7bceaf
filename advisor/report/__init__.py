"""Answers in forms other than the page."""
