"""`python -m service` is `claxon`."""

import sys

from .cli import main

sys.exit(main())
