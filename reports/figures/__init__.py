"""Figures as SVG and PDF, and galleries."""
