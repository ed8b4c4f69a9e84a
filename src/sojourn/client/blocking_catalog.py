"""The blocking client's verbs about what functions are made of and governed by; `blocking` has those about tasks.

What they put on the wire is said in `naming` and `governing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from . import calls, conversation, governing, model, naming
from .calls import TaskSettings
from .conversation import Conversation, ask, every
from .entries import (
    AccessToken,
    Alias,
    FunctionVersion,
    HttpConfig,
    NewToken,
    Provision,
    Scaling,
    Service,
    TemporaryKey,
    TimerConfig,
    Trigger,
)
from .naming import Owner

T = TypeVar("T")


class CatalogVerbs:
    """Half of `blocking.Client`; lists come whole, however many pages they have.

    Where `service` is True, the owner of versions, aliases or tags is a service and not a function.
    """

    def _run(self, talk: Conversation[T]) -> T:
        raise NotImplementedError

    # Services ---------------------------------------------------------------------------------------------------------

    def create_service(
        self, name: str, *, description: str | None = None, internet_access: bool | None = None
    ) -> Service:
        """Make a service: functions named `service$function` belong to it. `Conflict` when it is there."""
        return self._run(ask(naming.create_service(name, description, internet_access)))

    def update_service(
        self, name: str, *, description: str | None = None, internet_access: bool | None = None
    ) -> Service:
        """Change a service, and the network of all its functions; None keeps what is."""
        return self._run(ask(naming.update_service(name, description, internet_access)))

    def get_service(self, name: str) -> Service:
        """The service `name`, or `NotFound`."""
        return self._run(ask(naming.get_service(name)))

    def list_services(self, *, prefix: str = "") -> list[Service]:
        """All services by name."""
        return self._run(every(naming.list_services(prefix)))

    def delete_service(self, name: str) -> None:
        """Delete a service; `Conflict` while it has functions, versions or aliases."""
        self._run(ask(naming.delete_service(name)))

    # Versions and aliases ---------------------------------------------------------------------------------------------

    def publish_version(self, owner: str, *, description: str | None = None, service: bool = False) -> FunctionVersion:
        """Keep a function, or all functions of a service, as they stand now under the next number."""
        return self._run(ask(naming.publish(Owner(owner, service), description)))

    def list_versions(self, owner: str, *, service: bool = False) -> list[FunctionVersion]:
        """The published versions, the newest first."""
        return self._run(every(naming.list_versions(Owner(owner, service))))

    def delete_version(self, owner: str, version: str, *, service: bool = False) -> None:
        """Delete a version; its waiting tasks become Invalid. `Conflict` while an alias names it."""
        self._run(ask(naming.delete_version(Owner(owner, service), version)))

    def create_alias(
        self,
        owner: str,
        name: str,
        version: str,
        *,
        weights: Mapping[str, float] | None = None,
        description: str | None = None,
        service: bool = False,
    ) -> Alias:
        """Give a version a name; `weights` sends a share of the calls (0 to 1) to another version."""
        return self._run(ask(naming.create_alias(Owner(owner, service), name, version, weights, description)))

    def update_alias(
        self,
        owner: str,
        name: str,
        *,
        version: str | None = None,
        weights: Mapping[str, float] | None = None,
        description: str | None = None,
        service: bool = False,
    ) -> Alias:
        """Let an alias name something else; None keeps what is, empty `weights` end the sharing."""
        return self._run(ask(naming.update_alias(Owner(owner, service), name, version, weights, description)))

    def get_alias(self, owner: str, name: str, *, service: bool = False) -> Alias:
        """The alias, or `NotFound`."""
        return self._run(ask(naming.get_alias(Owner(owner, service), name)))

    def list_aliases(self, owner: str, *, prefix: str = "", service: bool = False) -> list[Alias]:
        """The aliases by name."""
        return self._run(every(naming.list_aliases(Owner(owner, service), prefix)))

    def delete_alias(self, owner: str, name: str, *, service: bool = False) -> None:
        """Forget an alias; tasks that were submitted by it keep their version."""
        self._run(ask(naming.delete_alias(Owner(owner, service), name)))

    # Triggers ---------------------------------------------------------------------------------------------------------

    def create_trigger(
        self,
        function: str,
        name: str,
        config: TimerConfig | HttpConfig,
        *,
        qualifier: str | None = None,
        description: str | None = None,
    ) -> Trigger:
        """Let a function be called by a timer, or by requests at an address of its own (`Trigger.url`)."""
        return self._run(ask(naming.create_trigger(function, name, config, qualifier, description)))

    def update_trigger(
        self,
        function: str,
        name: str,
        config: TimerConfig | HttpConfig | None = None,
        *,
        qualifier: str | None = None,
        description: str | None = None,
    ) -> Trigger:
        """Change a trigger; None keeps what is."""
        return self._run(ask(naming.update_trigger(function, name, config, qualifier, description)))

    def get_trigger(self, function: str, name: str) -> Trigger:
        """The trigger, or `NotFound`."""
        return self._run(ask(naming.get_trigger(function, name)))

    def list_triggers(self, function: str) -> list[Trigger]:
        """The triggers of a function by name."""
        return self._run(every(naming.list_triggers(function)))

    def delete_trigger(self, function: str, name: str) -> None:
        """Forget a trigger."""
        self._run(ask(naming.delete_trigger(function, name)))

    # How tasks are treated --------------------------------------------------------------------------------------------

    def put_async_config(
        self,
        function: str,
        *,
        qualifier: str = "",
        retries: int | None = None,
        max_age: int | None = None,
        retry_interval: int | None = None,
        retry_interval_max: int | None = None,
        queue_weight: int | None = None,
        on_success: str | None = None,
        on_failure: str | None = None,
    ) -> model.AsyncConfig:
        """Change how its tasks are treated; None keeps what is.

        Parameters
        ----------
        function: the function.
        qualifier: the version or alias by which they are submitted, "" for none.
        retries: how often a failed task is tried again.
        max_age: seconds a task may wait.
        retry_interval: seconds before the first retry; doubled for each further one.
        retry_interval_max: the longest such wait, in seconds.
        queue_weight: how many of its tasks get their turn when one of another function does.
        on_success, on_failure: where the record of an ended task goes, an ARN or a URL; "" for nowhere.

        """
        settings = TaskSettings(
            retries=retries,
            max_age=max_age,
            retry_interval=retry_interval,
            retry_interval_max=retry_interval_max,
            queue_weight=queue_weight,
            destinations=calls.destinations(on_success, on_failure),
        )
        return self._run(ask(calls.put_async_config(function, settings, qualifier)))

    def get_async_config(self, function: str, *, qualifier: str = "") -> model.AsyncConfig:
        """Its configuration of tasks, or `NotFound`."""
        return self._run(ask(calls.get_async_config(function, qualifier)))

    def list_async_configs(self, function: str = "") -> list[model.AsyncConfig]:
        """The configurations of tasks of all functions, or of one and its versions and aliases."""
        return self._run(every(governing.list_async_configs(function)))

    def delete_async_config(self, function: str, *, qualifier: str = "") -> None:
        """Back to the defaults."""
        self._run(ask(calls.delete_async_config(function, qualifier)))

    def put_concurrency(self, function: str, reserved: int) -> model.Concurrency:
        """Let at most `reserved` of its tasks run at a time; 0 lets none."""
        return self._run(ask(calls.put_concurrency(function, reserved)))

    def get_concurrency(self, function: str) -> model.Concurrency:
        """Its reserved concurrency, or `NotFound`."""
        return self._run(ask(calls.get_concurrency(function)))

    def list_concurrency(self) -> list[model.Concurrency]:
        """The reserved concurrency of all functions that have one."""
        return self._run(every(governing.list_concurrency()))

    def delete_concurrency(self, function: str) -> None:
        """Lift the limit."""
        self._run(ask(calls.delete_concurrency(function)))

    # What is kept warm ------------------------------------------------------------------------------------------------

    def put_provision(self, function: str, target: int, *, qualifier: str = "") -> Provision:
        """Keep `target` instances ready, whether anybody calls or not."""
        return self._run(ask(governing.put_provision(function, target, qualifier)))

    def get_provision(self, function: str, *, qualifier: str = "") -> Provision:
        """How many instances are provisioned, or `NotFound`."""
        return self._run(ask(governing.get_provision(function, qualifier)))

    def list_provision(self) -> list[Provision]:
        """The provisioned instances of all functions that have some."""
        return self._run(every(governing.list_provision()))

    def delete_provision(self, function: str, *, qualifier: str = "") -> None:
        """Keep none ready for this reason."""
        self._run(ask(governing.delete_provision(function, qualifier)))

    def put_scaling(self, function: str, min_instances: int, *, qualifier: str = "") -> Scaling:
        """Keep at least so many instances; the larger of this and a provision holds."""
        return self._run(ask(governing.put_scaling(function, min_instances, qualifier)))

    def get_scaling(self, function: str, *, qualifier: str = "") -> Scaling:
        """The least number of instances, or `NotFound`."""
        return self._run(ask(governing.get_scaling(function, qualifier)))

    def list_scaling(self) -> list[Scaling]:
        """The least numbers of all functions that have one."""
        return self._run(every(governing.list_scaling()))

    def delete_scaling(self, function: str, *, qualifier: str = "") -> None:
        """Keep none for this reason."""
        self._run(ask(governing.delete_scaling(function, qualifier)))

    # The switch, code, tags, keys for a time --------------------------------------------------------------------------

    def disable_function(self, function: str, *, reason: str = "", abort: bool = False) -> None:
        """Let it take no invocations, its tasks wait; `abort` also ends what runs of it."""
        self._run(ask(governing.disable(function, reason, abort=abort)))

    def enable_function(self, function: str) -> None:
        """Let it take invocations again."""
        self._run(ask(governing.enable(function)))

    def download_code(self, function: str, *, qualifier: str = "") -> bytes:
        """The archive of a function as it was uploaded."""
        return self._run(conversation.code_of(function, qualifier))

    def tags(self, owner: str, *, service: bool = False) -> dict[str, str]:
        """The tags of a function or a service."""
        return {each.tag_key: each.tag_value for each in self._run(every(governing.tags(Owner(owner, service))))}

    def tag(self, owner: str, tags: Mapping[str, str], *, service: bool = False) -> None:
        """Put tags on a function or a service; those of other keys stay."""
        self._run(ask(governing.tag(Owner(owner, service), tags)))

    def untag(self, owner: str, keys: Sequence[str] = (), *, service: bool = False) -> None:
        """Take tags off; without keys all of them."""
        self._run(ask(governing.untag(Owner(owner, service), keys)))

    def issue_key(self, *, seconds: int | None = None) -> TemporaryKey:
        """A key pair of this account for a time, 900 to 43200 seconds; use it with its token."""
        return self._run(ask(governing.issue_key(seconds)))

    def create_token(self, scope: str = "read", *, name: str = "", seconds: int | None = None) -> NewToken:
        """An access token of this account: `read`, `operate` or `admin`; without `seconds` until it is revoked."""
        return self._run(ask(governing.create_token(scope, name, seconds)))

    def list_tokens(self) -> list[AccessToken]:
        """The access tokens of this account, oldest first, without their texts."""
        return self._run(ask(governing.list_tokens()))

    def revoke_token(self, token_id: str) -> None:
        """Let an access token open nothing any more, or `NotFound`."""
        self._run(ask(governing.revoke_token(token_id)))
