"""Print docs/reference/metrics.md."""

import sys

from .reference import reference

sys.stdout.write(reference())
