"""Exit codes, for scripts to build on; never renumber them."""

OK = 0
OTHER = TASK_FAILED = 1
USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
UNREACHABLE = 5
WAIT_TIMED_OUT = 124
INTERRUPTED = 130
