"""Where README's figures come from. `make bench` runs them all; each is also `python -m benchmarks.NAME`."""
