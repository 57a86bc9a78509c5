"""Prove the confinement: words that name a file outside are refused, and words that are let through open none."""
