"""Blind side-by-side studies with people: the server, its ballots and what they say (docs/study.md)."""
