"""The clients' verbs about what functions are made of and governed by; `task_verbs` has those about tasks.

What they put on the wire is said in `naming` and `governing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from .verb import Verb


class CatalogVerbs:
    """A part of both clients; lists come whole, however many pages they have.

    Where `service` is True, the owner of versions, aliases or tags is a service and not a function.
    """

    # Services ---------------------------------------------------------------------------------------------------------

    @Verb
    def create_service(
        self, name: str, *, description: str | None = None, internet_access: bool | None = None
    ) -> Conversation[Service]:
        """Make a service: functions named `service$function` belong to it. `Conflict` when it is there."""
        return ask(naming.create_service(name, description, internet_access=internet_access))

    @Verb
    def update_service(
        self, name: str, *, description: str | None = None, internet_access: bool | None = None
    ) -> Conversation[Service]:
        """Change a service, and the network of all its functions; None keeps what is."""
        return ask(naming.update_service(name, description, internet_access=internet_access))

    @Verb
    def get_service(self, name: str) -> Conversation[Service]:
        """The service `name`, or `NotFound`."""
        return ask(naming.get_service(name))

    @Verb
    def list_services(self, *, prefix: str = "") -> Conversation[list[Service]]:
        """All services by name."""
        return every(naming.list_services(prefix))

    @Verb
    def delete_service(self, name: str) -> Conversation[None]:
        """Delete a service; `Conflict` while it has functions, versions or aliases."""
        return ask(naming.delete_service(name))

    # Versions and aliases ---------------------------------------------------------------------------------------------

    @Verb
    def publish_version(
        self, owner: str, *, description: str | None = None, service: bool = False
    ) -> Conversation[FunctionVersion]:
        """Keep a function, or all functions of a service, as they stand now under the next number."""
        return ask(naming.publish(Owner(owner, service), description))

    @Verb
    def list_versions(self, owner: str, *, service: bool = False) -> Conversation[list[FunctionVersion]]:
        """The published versions, the newest first."""
        return every(naming.list_versions(Owner(owner, service)))

    @Verb
    def delete_version(self, owner: str, version: str, *, service: bool = False) -> Conversation[None]:
        """Delete a version; its waiting tasks become Invalid. `Conflict` while an alias names it."""
        return ask(naming.delete_version(Owner(owner, service), version))

    @Verb
    def create_alias(
        self,
        owner: str,
        name: str,
        version: str,
        *,
        weights: Mapping[str, float] | None = None,
        description: str | None = None,
        service: bool = False,
    ) -> Conversation[Alias]:
        """Give a version a name; `weights` sends a share of the calls (0 to 1) to another version."""
        return ask(naming.create_alias(Owner(owner, service), name, version, weights, description))

    @Verb
    def update_alias(
        self,
        owner: str,
        name: str,
        *,
        version: str | None = None,
        weights: Mapping[str, float] | None = None,
        description: str | None = None,
        service: bool = False,
    ) -> Conversation[Alias]:
        """Let an alias name something else; None keeps what is, empty `weights` end the sharing."""
        return ask(naming.update_alias(Owner(owner, service), name, version, weights, description))

    @Verb
    def get_alias(self, owner: str, name: str, *, service: bool = False) -> Conversation[Alias]:
        """The alias, or `NotFound`."""
        return ask(naming.get_alias(Owner(owner, service), name))

    @Verb
    def list_aliases(self, owner: str, *, prefix: str = "", service: bool = False) -> Conversation[list[Alias]]:
        """The aliases by name."""
        return every(naming.list_aliases(Owner(owner, service), prefix))

    @Verb
    def delete_alias(self, owner: str, name: str, *, service: bool = False) -> Conversation[None]:
        """Forget an alias; tasks that were submitted by it keep their version."""
        return ask(naming.delete_alias(Owner(owner, service), name))

    # Triggers ---------------------------------------------------------------------------------------------------------

    @Verb
    def create_trigger(
        self,
        function: str,
        name: str,
        config: TimerConfig | HttpConfig,
        *,
        qualifier: str | None = None,
        description: str | None = None,
    ) -> Conversation[Trigger]:
        """Let a function be called by a timer, or by requests at an address of its own (`Trigger.url`)."""
        return ask(naming.create_trigger(function, name, config, qualifier, description))

    @Verb
    def update_trigger(
        self,
        function: str,
        name: str,
        config: TimerConfig | HttpConfig | None = None,
        *,
        qualifier: str | None = None,
        description: str | None = None,
    ) -> Conversation[Trigger]:
        """Change a trigger; None keeps what is."""
        return ask(naming.update_trigger(function, name, config, qualifier, description))

    @Verb
    def get_trigger(self, function: str, name: str) -> Conversation[Trigger]:
        """The trigger, or `NotFound`."""
        return ask(naming.get_trigger(function, name))

    @Verb
    def list_triggers(self, function: str) -> Conversation[list[Trigger]]:
        """The triggers of a function by name."""
        return every(naming.list_triggers(function))

    @Verb
    def delete_trigger(self, function: str, name: str) -> Conversation[None]:
        """Forget a trigger."""
        return ask(naming.delete_trigger(function, name))

    # How tasks are treated --------------------------------------------------------------------------------------------

    @Verb
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
    ) -> Conversation[model.AsyncConfig]:
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
        return ask(calls.put_async_config(function, settings, qualifier))

    @Verb
    def get_async_config(self, function: str, *, qualifier: str = "") -> Conversation[model.AsyncConfig]:
        """Its configuration of tasks, or `NotFound`."""
        return ask(calls.get_async_config(function, qualifier))

    @Verb
    def list_async_configs(self, function: str = "") -> Conversation[list[model.AsyncConfig]]:
        """The configurations of tasks of all functions, or of one and its versions and aliases."""
        return every(governing.list_async_configs(function))

    @Verb
    def delete_async_config(self, function: str, *, qualifier: str = "") -> Conversation[None]:
        """Back to the defaults."""
        return ask(calls.delete_async_config(function, qualifier))

    @Verb
    def put_concurrency(self, function: str, reserved: int) -> Conversation[model.Concurrency]:
        """Let at most `reserved` of its tasks run at a time; 0 lets none."""
        return ask(calls.put_concurrency(function, reserved))

    @Verb
    def get_concurrency(self, function: str) -> Conversation[model.Concurrency]:
        """Its reserved concurrency, or `NotFound`."""
        return ask(calls.get_concurrency(function))

    @Verb
    def list_concurrency(self) -> Conversation[list[model.Concurrency]]:
        """The reserved concurrency of all functions that have one."""
        return every(governing.list_concurrency())

    @Verb
    def delete_concurrency(self, function: str) -> Conversation[None]:
        """Lift the limit."""
        return ask(calls.delete_concurrency(function))

    # What is kept warm ------------------------------------------------------------------------------------------------

    @Verb
    def put_provision(self, function: str, target: int, *, qualifier: str = "") -> Conversation[Provision]:
        """Keep `target` instances ready, whether anybody calls or not."""
        return ask(governing.put_provision(function, target, qualifier))

    @Verb
    def get_provision(self, function: str, *, qualifier: str = "") -> Conversation[Provision]:
        """How many instances are provisioned, or `NotFound`."""
        return ask(governing.get_provision(function, qualifier))

    @Verb
    def list_provision(self) -> Conversation[list[Provision]]:
        """The provisioned instances of all functions that have some."""
        return every(governing.list_provision())

    @Verb
    def delete_provision(self, function: str, *, qualifier: str = "") -> Conversation[None]:
        """Keep none ready for this reason."""
        return ask(governing.delete_provision(function, qualifier))

    @Verb
    def put_scaling(self, function: str, min_instances: int, *, qualifier: str = "") -> Conversation[Scaling]:
        """Keep at least so many instances; the larger of this and a provision holds."""
        return ask(governing.put_scaling(function, min_instances, qualifier))

    @Verb
    def get_scaling(self, function: str, *, qualifier: str = "") -> Conversation[Scaling]:
        """The least number of instances, or `NotFound`."""
        return ask(governing.get_scaling(function, qualifier))

    @Verb
    def list_scaling(self) -> Conversation[list[Scaling]]:
        """The least numbers of all functions that have one."""
        return every(governing.list_scaling())

    @Verb
    def delete_scaling(self, function: str, *, qualifier: str = "") -> Conversation[None]:
        """Keep none for this reason."""
        return ask(governing.delete_scaling(function, qualifier))

    # The switch, code, tags, keys for a time --------------------------------------------------------------------------

    @Verb
    def disable_function(self, function: str, *, reason: str = "", abort: bool = False) -> Conversation[None]:
        """Let it take no invocations, its tasks wait; `abort` also ends what runs of it."""
        return ask(governing.disable(function, reason, abort=abort))

    @Verb
    def enable_function(self, function: str) -> Conversation[None]:
        """Let it take invocations again."""
        return ask(governing.enable(function))

    @Verb
    def download_code(self, function: str, *, qualifier: str = "") -> Conversation[bytes]:
        """The archive of a function as it was uploaded."""
        return conversation.code_of(function, qualifier)

    @Verb
    def tags(self, owner: str, *, service: bool = False) -> Conversation[dict[str, str]]:
        """The tags of a function or a service."""
        found = yield from every(governing.tags(Owner(owner, service)))
        return {each.tag_key: each.tag_value for each in found}

    @Verb
    def tag(self, owner: str, tags: Mapping[str, str], *, service: bool = False) -> Conversation[None]:
        """Put tags on a function or a service; those of other keys stay."""
        return ask(governing.tag(Owner(owner, service), tags))

    @Verb
    def untag(self, owner: str, keys: Sequence[str] = (), *, service: bool = False) -> Conversation[None]:
        """Take tags off; without keys all of them."""
        return ask(governing.untag(Owner(owner, service), keys))

    @Verb
    def issue_key(self, *, seconds: int | None = None) -> Conversation[TemporaryKey]:
        """A key pair of this account for a time, 900 to 43200 seconds; use it with its token."""
        return ask(governing.issue_key(seconds))

    @Verb
    def create_token(
        self, scope: str = "read", *, name: str = "", seconds: int | None = None
    ) -> Conversation[NewToken]:
        """An access token of this account: `read`, `operate` or `admin`; without `seconds` until it is revoked."""
        return ask(governing.create_token(scope, name, seconds))

    @Verb
    def list_tokens(self) -> Conversation[list[AccessToken]]:
        """The access tokens of this account, oldest first, without their texts."""
        return ask(governing.list_tokens())

    @Verb
    def revoke_token(self, token_id: str) -> Conversation[None]:
        """Let an access token open nothing any more, or `NotFound`."""
        return ask(governing.revoke_token(token_id))
