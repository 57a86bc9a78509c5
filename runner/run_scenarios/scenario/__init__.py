"""Scenario files as typed values: parsing, the matrix, the dry run and confinement."""
