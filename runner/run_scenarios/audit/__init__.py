"""`--audit`: each assertion of the cases is broken once, and each write left out, to see that a case fails for it."""
