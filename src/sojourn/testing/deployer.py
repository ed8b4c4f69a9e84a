"""Functions for one test: deployed in a line, and taken away after it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sojourn.client import Client, Function, NotFound
from sojourn.manifest import Options, Wanted, apply, plan, read_file

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"


class Deployer:
    """Deploys functions and remembers them, so that `close` can take them away again."""

    def __init__(self, client: Client, directory: Path, account_id: str = "") -> None:
        self._client, self._directory, self._account_id = client, directory, account_id
        self._names: list[str] = []

    def __call__(
        self,
        name: str,
        code: str | os.PathLike[str] | bytes | None = None,
        *,
        source: str = "",
        handler: str = "index.handler",
        runtime: str = HERE,
        timeout: int | None = None,
        memory: int | None = None,
        env: Mapping[str, str] | None = None,
        retries: int | None = None,
        max_age: int | None = None,
        reserved_concurrency: int | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Function:
        """Deploy the function `name`.

        Parameters
        ----------
        name: the function.
        code: a directory, a zip, or a zip's bytes.
        source: instead of `code`, the text of its one file, `index.py`.
        handler, runtime, timeout, memory, env, retries, max_age, reserved_concurrency, settings: as for
            `Client.deploy`; the runtime is the Python of the tests unless it is given.

        """
        if (code is None) == (not source):
            raise ValueError("give code or source, one of them")
        if code is None:
            code = self._directory / name
            code.mkdir(parents=True, exist_ok=True)
            (code / "index.py").write_text(source, encoding="utf-8")
        self._names.append(name)
        return self._client.deploy(
            name,
            code,
            handler=handler,
            runtime=runtime,
            timeout=timeout,
            memory=memory,
            env=env,
            retries=retries,
            max_age=max_age,
            reserved_concurrency=reserved_concurrency,
            settings=settings,
        )

    def template(self, path: str | os.PathLike[str], *, skip: Sequence[str] = ()) -> list[Wanted]:
        """Deploy what a Serverless Devs file asks for; `skip` are keys of it to leave out.

        Raises
        ------
        ManifestInvalid: the file has mistakes.

        """
        wanted = read_file(Path(path), Options(os.environ, lambda: self._account_id, frozenset(skip)))
        for one in wanted:
            self._names.append(one.function)
            apply(self._client, plan(self._client, one))
        return wanted

    def close(self) -> None:
        """Delete what was deployed."""
        for name in reversed(self._names):
            with contextlib.suppress(NotFound):
                for trigger in self._client.list_triggers(name):
                    self._client.delete_trigger(name, trigger.trigger_name)
                self._client.delete_function(name)
        self._names.clear()
