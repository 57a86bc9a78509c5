"""Reports: each turns the events of a run into one format."""
