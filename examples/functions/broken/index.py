"""Fails every time: shows what a task looks like whose retries are used up."""

from typing import NoReturn


def handler(event: bytes, context: object) -> NoReturn:
    """Raise; each attempt's task record then shows `ValueError` and this message."""
    raise ValueError("this function never works")
