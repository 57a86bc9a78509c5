"""Collecting, checking and selecting cases."""
