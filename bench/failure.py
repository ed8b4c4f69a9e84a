"""The one error of the benchmark: something could not be measured, and why."""

from __future__ import annotations


class NotMeasured(Exception):
    """What has to hold before something can be measured does not; the message says what."""
