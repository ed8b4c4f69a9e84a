"""Deployment files of Serverless Devs (`s.yaml`): read, checked line by line, compared with a server, and applied.

The way of a file is the order of these modules: `document` makes a tree that knows its lines, `variables` puts values
in the place of `${…}`, `reading` finds the resources and checks them against the keys of `keys`, with `fc2` to turn the
older form into the newer one, `plan` compares with what the server has, and `apply` does the difference. Nothing here
prints; that is left to the command line.
"""

from .apply import addresses, apply
from .plan import Change, Step, plan
from .problem import ManifestInvalid, Problem
from .reading import Options, read, read_file
from .wanted import Wanted

__all__ = [
    "Change",
    "ManifestInvalid",
    "Options",
    "Problem",
    "Step",
    "Wanted",
    "addresses",
    "apply",
    "plan",
    "read",
    "read_file",
]
