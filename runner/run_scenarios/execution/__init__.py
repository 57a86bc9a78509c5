"""Run cases: scheduling, steps, cleanup and what is kept of a failure."""
