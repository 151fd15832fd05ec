"""Metrics, one file per family; each names the implementation it must equal."""
