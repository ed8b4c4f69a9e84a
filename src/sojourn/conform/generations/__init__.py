"""The three generations of the API, as callers speak them."""

from __future__ import annotations

from .classic import Classic
from .generation import Function, Generation, Operation
from .newest import Newest
from .open import Open

GENERATIONS: dict[str, Generation] = {each.version: each for each in (Classic(), Open(), Newest())}

__all__ = ["GENERATIONS", "Function", "Generation", "Operation"]
