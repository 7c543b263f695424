"""Figures that a paper could print, each a function from data to a matplotlib Figure."""
