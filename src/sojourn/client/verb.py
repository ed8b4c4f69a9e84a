"""A verb of the clients: said once, as the conversation it is, and had by each client in its own way of waiting."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from .conversation import Conversation

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """A client whose verbs return when they are done."""

    def _run(self, talk: Conversation[T]) -> T:
        raise NotImplementedError


class Awaited:
    """A client whose verbs are coroutines."""

    async def _run(self, talk: Conversation[T]) -> T:
        raise NotImplementedError


class Verb(Generic[P, T]):
    """A method that is written as what it has said, and that returns what this comes to.

        @Verb
        def get_trigger(self, function: str, name: str) -> Conversation[Trigger]: ...

    makes `client.get_trigger(function, name)` a `Trigger` where the client is `Blocking`, and the coroutine of one
    where it is `Awaited`. Name, parameters and docstring are those of what is written.

    Parameters
    ----------
    talk: what is written; its return type stands there as `Conversation[…]`.

    """

    def __init__(self, talk: Callable[Concatenate[Any, P], Conversation[T]]) -> None:
        # What help(), and tools that read annotations, say that the verb returns.
        talk.__annotations__["return"] = talk.__annotations__["return"].removeprefix("Conversation[").removesuffix("]")

        @wraps(talk)
        def blocking(client: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return client._run(talk(client, *args, **kwargs))  # noqa: SLF001 - of a class above

        @wraps(talk)
        async def awaited(client: Awaited, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return await client._run(talk(client, *args, **kwargs))  # noqa: SLF001 - of a class above

        self._blocking, self._awaited = blocking, awaited

    @overload
    def __get__(self, client: Blocking, owner: type[Any]) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: Awaited, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Callable[..., Any]: ...

    def __get__(self, client: Blocking | Awaited | None, owner: type[Any]) -> Callable[..., Any]:
        function = self._blocking if issubclass(owner, Blocking) else self._awaited
        return function if client is None else MethodType(function, client)
