"""Runs Triton's Python clients against the built server. The last line is `N passed, N failed`.

Usage: PYTHON test/clients/run.py   (packages: requirements.txt)
"""

import sys
import unittest
from pathlib import Path


def main():
    suite = unittest.defaultTestLoader.discover(str(Path(__file__).resolve().parent))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    # A class that cannot be set up is an error, but no test has run.
    print(f"{max(0, result.testsRun - failed)} passed, {failed} failed", flush=True)
    return 1 if failed > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
