"""From paths and options to the cases to run."""
