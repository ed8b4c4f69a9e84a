"""Sojourn: a self-hosted Serverless Task system.

A task is a row and a pure function; this package holds the core (`task`, `instance`, `function`), the loops that
observe facts (`queue`, `pool`, `dispatcher`), the contracts they lean on (`store`, `sandbox`, `runtime`) and the
doors people use (`api`, `client`, `cli`). `docs/architecture.md` walks one task through all of them.
"""

__version__ = "0.1.0"
