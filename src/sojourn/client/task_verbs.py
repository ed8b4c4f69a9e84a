"""The clients' verbs about functions and their tasks, accounts and the server.

What they put on the wire is said in `calls` and `conversation`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from sojourn.clock import Clock

from . import calls, conversation, model
from .archive import code_archive
from .batch import NewTask, Outcome, new_task
from .call import Progress
from .calls import TaskFilter, TaskSettings
from .conversation import Conversation, Deployment, Work, ask
from .verb import Verb


class TaskVerbs:
    """A part of both clients; `logs`, and what iterates or waits for many tasks, is each one's own."""

    _clock: Clock

    @Verb
    def deploy(
        self,
        name: str,
        code: str | os.PathLike[str] | bytes,
        *,
        handler: str | None = None,
        runtime: str | None = None,
        timeout: int | None = None,
        memory: int | None = None,
        env: Mapping[str, str] | None = None,
        description: str | None = None,
        retries: int | None = None,
        max_age: int | None = None,
        retry_interval: int | None = None,
        retry_interval_max: int | None = None,
        queue_weight: int | None = None,
        reserved_concurrency: int | None = None,
        settings: Mapping[str, object] | None = None,
        progress: Progress | None = None,
    ) -> Conversation[model.Function]:
        """Create the function `name`, or update it when it exists.

        Parameters
        ----------
        name: the function.
        code: a directory, a zip file, or a zip's bytes.
        handler: such as `index.handler`; needed for a new function.
        runtime: such as `python3.12`; needed for a new function.
        timeout: seconds one attempt may take.
        memory: MB one instance may use.
        env: its environment variables, all of them.
        description: free text.
        retries: how often a failed task is tried again.
        max_age: seconds a task may wait before it expires.
        retry_interval, retry_interval_max, queue_weight: see `put_async_config`.
        reserved_concurrency: how many of its tasks may run at a time.
        settings: further fields as the API spells them, such as
            `{"instanceLifecycleConfig": {"preStop": {"handler": "index.pre_stop", "timeout": 10}}}`.
        progress: called with the bytes sent and the bytes in all, while the code is uploaded.

        Raises
        ------
        Refused: the code cannot be deployed, or a value is outside its bounds.

        """
        archive = yield Work(partial(code_archive, code))
        wanted = Deployment(
            name=name,
            archive=archive,
            handler=handler,
            runtime=runtime,
            timeout=timeout,
            memory=memory,
            env=env,
            description=description,
            tasks=TaskSettings(
                retries=retries,
                max_age=max_age,
                retry_interval=retry_interval,
                retry_interval_max=retry_interval_max,
                queue_weight=queue_weight,
            ),
            reserved_concurrency=reserved_concurrency,
            settings=settings,
        )
        return (yield from conversation.deploy(wanted, progress))

    @Verb
    def get_function(self, name: str, *, qualifier: str = "") -> Conversation[model.Function]:
        """The function `name`, or one of its versions; `NotFound` when it is not there."""
        return ask(calls.get_function(name, qualifier))

    @Verb
    def list_functions(
        self, *, prefix: str = "", limit: int | None = None, next_token: str = ""
    ) -> Conversation[model.FunctionPage]:
        """One page of functions by name, `limit` at most, after the page that gave `next_token`."""
        return ask(calls.list_functions(prefix, limit, next_token))

    @Verb
    def delete_function(self, name: str) -> Conversation[None]:
        """Delete the function `name`; its waiting tasks become Invalid."""
        return ask(calls.delete_function(name))

    @Verb
    def submit(
        self,
        function: str,
        payload: bytes | str = b"",
        *,
        task_id: str | None = None,
        delay: int | None = None,
        qualifier: str = "",
        tags: Mapping[str, str] | None = None,
        existing_ok: bool = False,
    ) -> Conversation[model.Submission]:
        """Submit a task; when this returns, the server has it on disk.

        Parameters
        ----------
        function: the function to call.
        payload: what it is called with; text is sent as UTF-8.
        task_id: your name for the task, unique within the function; None lets the server choose one.
        delay: seconds to wait before it may start.
        qualifier: the version or alias to run, "" for the function as it stands when it starts.
        tags: words of your own that the task carries and is found by.
        existing_ok: with a `task_id`, make it safe to repeat: the call is sent again when the connection breaks, and
            a task that is there already under this id counts as this one (`Submission.existed`).

        Raises
        ------
        Conflict: a task with this id exists.
        Throttled: the server has no room now.

        """
        body = payload.encode() if isinstance(payload, str) else payload
        return conversation.submit(function, body, task_id, delay, qualifier, tags=tags, existing_ok=existing_ok)

    @Verb
    def submit_many(
        self,
        function: str,
        tasks: Iterable[NewTask | bytes | str],
        *,
        existing_ok: bool = False,
        on_outcomes: Callable[[Sequence[Outcome]], None] | None = None,
    ) -> Conversation[list[Outcome]]:
        """Submit many tasks in few calls, ten thousand at most in one; what is said of each is in their order.

        Parameters
        ----------
        function: the function to call.
        tasks: what to submit: payloads, or `NewTask`s with more to them.
        existing_ok: as in `submit`, for each of them; all need a `task_id` then.
        on_outcomes: hears of some more outcomes after each call.

        Raises
        ------
        ClientError: the first call failed. What a later one fails with is the outcome of its tasks and of all behind
            them, which were not sent; a task that is refused by itself has its error as its outcome.

        """
        wanted = [new_task(task) for task in tasks]
        return conversation.submit_many(function, wanted, existing_ok=existing_ok, on_outcomes=on_outcomes)

    @Verb
    def invoke(
        self, function: str, payload: bytes | str = b"", *, timeout: float = 0, qualifier: str = ""
    ) -> Conversation[model.Invocation]:
        """Call the function and wait for its answer, at most `timeout` seconds; 0 waits as long as it may take.

        Cancelling the call of an `AsyncClient` stops the function.
        """
        body = payload.encode() if isinstance(payload, str) else payload
        return ask(calls.invoke(function, body, timeout, qualifier))

    @Verb
    def get_task(self, function: str, task_id: str) -> Conversation[model.Task]:
        """The task with its history and bodies, or `NotFound`."""
        return ask(calls.get_task(function, task_id))

    @Verb
    def list_tasks(
        self, function: str, wanted: TaskFilter | None = None, *, next_token: str = ""
    ) -> Conversation[model.TaskPage]:
        """One page of tasks, newest first unless `wanted` says otherwise, after the page that gave `next_token`."""
        return ask(calls.list_tasks(function, wanted or TaskFilter(), next_token))

    @Verb
    def stop_task(self, function: str, task_id: str) -> Conversation[None]:
        """Stop a task; when this returns, nothing new of it will start. `Conflict` when it is over already."""
        return ask(calls.stop_task(function, task_id))

    @Verb
    def wait(self, function: str, task_id: str, *, timeout: float | None = None) -> Conversation[model.Task]:
        """The task once it is over, however it ended.

        Raises
        ------
        WaitTimedOut: it was not over within `timeout` seconds.

        """
        return conversation.wait(function, task_id, clock=self._clock, timeout=timeout)

    @Verb
    def deliveries(self, function: str, task_id: str) -> Conversation[list[model.Delivery]]:
        """Where the record of the task goes and how far it is; nothing when it has no destination, or is not over."""
        return ask(calls.deliveries(function, task_id))

    @Verb
    def resend(self, function: str, task_id: str) -> Conversation[model.Delivery]:
        """Send the record of the task to its destination again, or `NotFound` when there is none."""
        return ask(calls.resend(function, task_id))

    @Verb
    def webhook_secret(self, *, rotate: bool = False) -> Conversation[str]:
        """The secret that signs the records of this account; with `rotate` it is replaced by a new one."""
        return ask(calls.webhook_secret(rotate=rotate))

    @Verb
    def instances(self, function: str | None = None) -> Conversation[list[model.Instance]]:
        """The account's instances, the oldest first; or those of one function."""
        return ask(calls.instances(function))

    @Verb
    def create_account(self, account_id: str) -> Conversation[model.AccessKey]:
        """Make an account with a random key pair; only the owner may."""
        return ask(calls.create_account(account_id))

    @Verb
    def list_accounts(self) -> Conversation[list[model.Account]]:
        """All accounts, oldest first; only the owner may."""
        return ask(calls.list_accounts())

    @Verb
    def version(self) -> Conversation[model.Version]:
        """What the server is; needs no key."""
        return ask(calls.version())
