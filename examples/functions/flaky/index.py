"""Fails twice and then works: shows Retrying.

`context.retry_count` tells an attempt how many came before it: 0 in the first, 2 in the third.
"""

from typing import Any

FAILURES = 2


def handler(event: bytes, context: Any) -> dict[str, int]:
    """Raise in the first two attempts, answer in the third."""
    attempt = context.retry_count + 1
    if attempt <= FAILURES:
        raise ConnectionError(f"attempt {attempt} found nobody at home")
    context.logger.info("attempt %d went through", attempt)
    return {"attempt": attempt}
