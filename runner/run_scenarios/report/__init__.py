"""Reports: events in, text out. A report never sees a process, and never imports the executor."""
