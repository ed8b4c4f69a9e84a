"""The phases of a life in which a fault is to come at least once: every non-terminal status, every hook."""

STATUSES = ("Enqueued", "Dequeued", "Running", "Retrying", "Stopping")
HOOKS = ("initializer", "preFreeze", "preStop")
PHASES = (*STATUSES, *HOOKS)
