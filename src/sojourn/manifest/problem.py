"""What is wrong with a deployment file: where, and in words that say what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sojourn.errors import SojournError


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: the file as the caller named it, the line from 1, and a sentence."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class ManifestInvalid(SojournError):
    """A deployment file cannot be used; `problems` are all that were found, in the order of their lines."""

    code = "InvalidManifest"
    status = 400

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))
