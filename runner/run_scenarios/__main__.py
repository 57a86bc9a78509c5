"""`python -m run_scenarios` is the command `run-scenarios`."""

import sys

from run_scenarios.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
