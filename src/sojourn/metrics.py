"""Numbers as Prometheus reads them: histograms, and a page of text (exposition format 0.0.4).

What is counted, and where, is left to those who count; who may read a page, to `api.metrics`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they are shown."""


class Histogram:
    """How often values were at most so large; `bounds` ascend, and one above all of them counts too."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Page:
    """A page that grows by one family of samples after the other."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: str, about: str, samples: Mapping[Labels, float]) -> None:
        """Add a family.

        Parameters
        ----------
        name: of the family.
        kind: `counter` or `gauge`.
        about: what it is, in a sentence without line breaks.
        samples: the values by their labels, each a pair of name and value.

        """
        self._head(name, kind, about)
        for labels, value in sorted(samples.items()):
            self._sample(name, labels, value)

    def value(self, name: str, kind: str, about: str, value: float) -> None:
        """Add a family of one sample without labels."""
        self.family(name, kind, about, {(): value})

    def histogram(self, name: str, about: str, histogram: Histogram) -> None:
        """Add a histogram."""
        self._head(name, "histogram", about)
        passed = 0
        for bound, count in zip((*map(_number, histogram.bounds), "+Inf"), histogram.counts, strict=True):
            passed += count
            self._sample(f"{name}_bucket", (("le", bound),), passed)
        self._sample(f"{name}_sum", (), histogram.total)
        self._sample(f"{name}_count", (), passed)

    def text(self) -> str:
        """All of it."""
        return "".join(self._lines)

    def _head(self, name: str, kind: str, about: str) -> None:
        self._lines.append(f"# HELP {name} {about}\n# TYPE {name} {kind}\n")

    def _sample(self, name: str, labels: Labels, value: float) -> None:
        inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        self._lines.append(f"{name}{{{inner}}} {_number(value)}\n" if inner else f"{name} {_number(value)}\n")


def _escaped(text: str) -> str:
    """A label's value on one line."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
