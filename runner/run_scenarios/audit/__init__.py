"""Mutation testing of scenarios, for `--audit`: break each assertion and drop each write, one at a time."""
