"""`claxon top`: what a running Claxon sees, in a terminal. ≠ what it decides."""
