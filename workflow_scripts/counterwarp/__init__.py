"""Counterwarp: explain a brain-disease classifier by the change of shape that would change its mind."""

__version__ = "0.1.0"
