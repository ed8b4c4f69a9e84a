"""How a behaviour was established: the four origins that `docs/compat.md` knows."""

from __future__ import annotations

from enum import Enum


class Source(Enum):
    """Where the knowledge of a behaviour comes from, from the firmest to the weakest."""

    DOCUMENTED = "documented"
    """The official documentation or the models of the official clients say so."""
    RECORDED = "recorded"
    """An official client was run against a recording server: it sends this, or needs to be answered so."""
    THIRD_PARTY = "third party"
    """Public code that runs against the cloud relies on it."""
    OUR_CHOICE = "our choice"
    """Nothing that was found settles it."""


DOCUMENTED, RECORDED, THIRD_PARTY, OUR_CHOICE = Source
