"""Hydra configuration, shipped as package data (`pkg://restorebench.conf`)."""
