"""The command line: `sojourn <noun> <verb>`.

This file decides how a run begins and ends: which words are commands, and that every end is an exit code, with errors
as one sentence on stderr. What a command does is said in the module of its noun, which is loaded when it is asked for,
so that `sojourn --help` stays quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import cyclopts

from sojourn import __version__

from .exits import INTERRUPTED, OK, OTHER
from .serve import serve

app = cyclopts.App(
    name="sojourn",
    version=__version__,
    help=(
        "Run, watch and stop durable tasks on your own machine.\n\n"
        "Commands find the server by --endpoint URL, else SOJOURN_ENDPOINT, else the credentials file of a local "
        "server; an access token by SOJOURN_TOKEN, else the access key by SOJOURN_ACCESS_KEY_ID and "
        "SOJOURN_ACCESS_KEY_SECRET (or ALIBABA_CLOUD_…), else the same file.\n\n"
        "Exit codes: 0 ok, 1 task failed, 2 usage, 3 not found, 4 conflict, 5 unreachable, 124 wait timed out, "
        "130 interrupted.\n\n"
        "To begin:\n\n"
        "    sojourn serve\n"
        "    sojourn function deploy hello --code hello/ --handler index.handler \\\n"
        "        --runtime python3.12\n"
        "    sojourn task submit hello --payload world --wait"
    ),
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # an interrupt has an exit code, see `main`
)
app.command(serve)
app.command("sojourn.cli.function:app", name="function", help="Deploy, publish, switch and delete functions.")
app.command("sojourn.cli.task:app", name="task", help="Submit, watch and stop tasks.")
app.command("sojourn.cli.service:app", name="service", help="Make services and publish their versions.")
app.command("sojourn.cli.alias:app", name="alias", help="Name published versions.")
app.command("sojourn.cli.trigger:app", name="trigger", help="Let functions be called by timers and at addresses.")
app.command("sojourn.cli.async_config:app", name="async-config", help="Say how tasks of functions are treated.")
app.command("sojourn.cli.concurrency:app", name="concurrency", help="Bound how much of a function runs at a time.")
app.command("sojourn.cli.warm:provision", name="provision", help="Keep instances provisioned.")
app.command("sojourn.cli.warm:scaling", name="scaling", help="Keep a least number of instances.")
app.command("sojourn.cli.tag:app", name="tag", help="Describe functions and services.")
app.command("sojourn.cli.queue:app", name="queue", help="Pause and resume the queues of functions.")
app.command("sojourn.cli.operation:app", name="operation", help="Look at operations on many tasks.")
app.command("sojourn.cli.instance:app", name="instance", help="List instances.")
app.command("sojourn.cli.account:app", name="account", help="Make and list accounts; keys for a time.")
app.command(
    "sojourn.cli.audit:audit",
    name="audit",
    help="List who changed what.\n\nFor example:\n\n    sojourn audit --limit 100 -o jsonl",
)
app.command("sojourn.cli.token:app", name="token", help="Make, list and revoke access tokens.")
app.command(
    "sojourn.cli.console:console",
    name="console",
    help="Print where the web console is, and a token for it.\n\nFor example:\n\n    sojourn console --scope operate",
)
app.command(
    "sojourn.cli.deploy:deploy",
    name="deploy",
    help="Deploy the functions of a Serverless Devs file.\n\nFor example:\n\n    sojourn deploy -t s.yaml --dry-run",
)
app.command(
    "sojourn.cli.dev:dev",
    name="dev",
    help="Run the functions of a directory and follow their changes.\n\nFor example:\n\n    sojourn dev hello/",
)
app.command(
    "sojourn.cli.invoke:invoke",
    name="invoke",
    help="Call a function and print its answer.\n\nFor example:\n\n    sojourn invoke hello --payload world --tail",
)
app.command(
    "sojourn.cli.top:top",
    name="top",
    help="Watch functions, queues and running tasks on the whole screen.\n\nFor example:\n\n    sojourn top --every 2",
)
app.command(
    "sojourn.cli.doctor:doctor",
    name="doctor",
    help="Find out what works on this machine.\n\nFor example:\n\n    sojourn doctor -o json",
)
app.command(
    "sojourn.cli.completion:completion",
    name="completion",
    help=(
        "Print what lets a shell complete commands and names.\n\nFor example:\n\n"
        "    sojourn completion bash > ~/.local/share/bash-completion/completions/sojourn"
    ),
)
app.command("sojourn.cli.completion:complete", name="_complete", show=False)
app.command(
    "sojourn.cli.verify:verify",
    name="verify",
    help=(
        "Check every task's history, counters and links in a data directory.\n\nFor example:\n\n"
        "    sojourn verify --data-dir /var/lib/sojourn"
    ),
)
app.command(
    "sojourn.cli.conform:conform",
    name="conform",
    help=(
        "Check whether an endpoint behaves as Function Compute does.\n\nFor example:\n\n"
        "    sojourn conform --endpoint http://127.0.0.1:9000"
    ),
)
app.command(
    "sojourn.cli.openapi:openapi",
    name="openapi",
    help="Print the OpenAPI description of an API.\n\nFor example:\n\n    sojourn openapi --api 2023-03-30",
)
app.command(
    "sojourn.cli.about:version",
    name="version",
    help="Show the version of this command and of the server.\n\nFor example:\n\n    sojourn version -o json",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv: the words after `sojourn`; None takes them from the process.

    """
    words = _endpoint_last(list(sys.argv[1:] if argv is None else argv))
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        from .failure import report_usage  # noqa: PLC0415 - nothing else needs it on a good day

        return report_usage(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough, as in `sojourn task list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OTHER
    except Exception as error:
        from .failure import report  # noqa: PLC0415 - nothing else needs it on a good day

        reported = report(error)
        if reported is None:
            raise
        return reported
    return code if isinstance(code, int) else OK


def _endpoint_last(words: list[str]) -> list[str]:
    """`words` with a leading `--endpoint URL` moved behind the command that takes it."""
    moved: list[str] = []
    while words and (words[0] == "--endpoint" or words[0].startswith("--endpoint=")):
        taken = 1 if "=" in words[0] else 2
        moved, words = words[:taken], words[taken:]
    end = words.index("--") if "--" in words else len(words)
    return words[:end] + moved + words[end:]
