"""Restorers, one file per family; `networks/` holds the networks no library has."""
