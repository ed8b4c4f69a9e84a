"""The calls about how functions are run: concurrency, tasks, instances kept warm, the switch; their code and tags.

Pure, as `calls`, which has those about the one configuration of a function that `deploy` also sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from . import model
from .call import API_VERSION, Answer, Call, segment
from .entries import AccessToken, Code, NewToken, Provision, Scaling, TemporaryKey
from .naming import Owner, Page, given, listing, nothing, one, page

TAGS = f"/{API_VERSION}/tags-v2"


def list_concurrency() -> Callable[[str], Call[Page[model.Concurrency]]]:
    """ListConcurrencyConfigs."""
    return listing("ListConcurrencyConfigs", f"/{API_VERSION}/concurrency-configs", page("configs", model.Concurrency))


def list_async_configs(function: str) -> Callable[[str], Call[Page[model.AsyncConfig]]]:
    """ListAsyncInvokeConfigs: of all functions, or of one."""
    path, query = f"/{API_VERSION}/async-invoke-configs", {"functionName": function}
    return listing("ListAsyncInvokeConfigs", path, page("configs", model.AsyncConfig), query)


def put_provision(function: str, target: int, qualifier: str) -> Call[Provision]:
    """PutProvisionConfig."""
    return Call(
        "PutProvisionConfig",
        "PUT",
        Owner(function).path("provision-config"),
        one(Provision),
        query=meant(qualifier),
        body=given(defaultTarget=target),
        idempotent=True,
    )


def get_provision(function: str, qualifier: str) -> Call[Provision]:
    """GetProvisionConfig."""
    path = Owner(function).path("provision-config")
    return Call("GetProvisionConfig", "GET", path, one(Provision), query=meant(qualifier), idempotent=True)


def delete_provision(function: str, qualifier: str) -> Call[None]:
    """DeleteProvisionConfig."""
    path = Owner(function).path("provision-config")
    return Call("DeleteProvisionConfig", "DELETE", path, nothing, query=meant(qualifier), idempotent=True)


def list_provision() -> Callable[[str], Call[Page[Provision]]]:
    """ListProvisionConfigs."""
    path = f"/{API_VERSION}/provision-configs"
    return listing("ListProvisionConfigs", path, page("provisionConfigs", Provision))


def put_scaling(function: str, min_instances: int, qualifier: str) -> Call[Scaling]:
    """PutScalingConfig."""
    return Call(
        "PutScalingConfig",
        "PUT",
        Owner(function).path("scaling-config"),
        one(Scaling),
        query=meant(qualifier),
        body=given(minInstances=min_instances),
        idempotent=True,
    )


def get_scaling(function: str, qualifier: str) -> Call[Scaling]:
    """GetScalingConfig."""
    path = Owner(function).path("scaling-config")
    return Call("GetScalingConfig", "GET", path, one(Scaling), query=meant(qualifier), idempotent=True)


def delete_scaling(function: str, qualifier: str) -> Call[None]:
    """DeleteScalingConfig."""
    path = Owner(function).path("scaling-config")
    return Call("DeleteScalingConfig", "DELETE", path, nothing, query=meant(qualifier), idempotent=True)


def list_scaling() -> Callable[[str], Call[Page[Scaling]]]:
    """ListScalingConfigs."""
    return listing("ListScalingConfigs", f"/{API_VERSION}/scaling-configs", page("scalingConfigs", Scaling))


def disable(function: str, reason: str, *, abort: bool) -> Call[None]:
    """DisableFunctionInvocation."""
    path, body = Owner(function).path("invoke", "disable"), given(reason=reason, abortOngoingRequest=abort)
    return Call("DisableFunctionInvocation", "POST", path, nothing, body=body, idempotent=True)


def enable(function: str) -> Call[None]:
    """EnableFunctionInvocation."""
    path = Owner(function).path("invoke", "enable")
    return Call("EnableFunctionInvocation", "POST", path, nothing, idempotent=True)


def get_code(function: str, qualifier: str) -> Call[Code]:
    """GetFunctionCode."""
    path = Owner(function).path("code")
    return Call("GetFunctionCode", "GET", path, one(Code), query=meant(qualifier), idempotent=True)


def download(code: Code) -> Call[bytes]:
    """The archive: asked of this server and under our own key, wherever the address would lead."""
    path = urlsplit(code.url).path
    return Call("DownloadCode", "GET", path, lambda answer: answer.body, idempotent=True, timeout_seconds=0)


def tags(owner: Owner) -> Callable[[str], Call[Page[Tag]]]:
    """ListTagResources of one resource."""

    def decode(answer: Answer) -> Page[Tag]:
        found = msgspec.json.decode(answer.body, type=_Tags)
        return Page(found.resources, found.next_token)

    def call(token: str) -> Call[Page[Tag]]:
        query = _resource(owner) | ({"NextToken": token} if token else {})
        return Call("ListTagResources", "GET", TAGS, decode, query=query, idempotent=True)

    return call


def tag(owner: Owner, wanted: Mapping[str, str]) -> Call[None]:
    """TagResources."""
    pairs = [{"Key": key, "Value": value} for key, value in wanted.items()]
    body = given(ResourceType=_kind(owner), ResourceId=[owner.name], Tag=pairs)
    return Call("TagResources", "POST", TAGS, nothing, body=body, idempotent=True)


def untag(owner: Owner, keys: Sequence[str]) -> Call[None]:
    """UntagResources: these keys, or all when there are none."""
    query = _resource(owner) | ({"TagKey": _json(keys)} if keys else {"All": "true"})
    return Call("UntagResources", "DELETE", TAGS, nothing, query=query, idempotent=True)


def issue_key(seconds: int | None) -> Call[TemporaryKey]:
    """A key pair for a time."""
    return Call("CreateCredentials", "POST", "/v1/credentials", one(TemporaryKey), body=given(durationSeconds=seconds))


def create_token(scope: str, name: str, seconds: int | None) -> Call[NewToken]:
    """An access token of the account."""
    body = given(scope=scope, name=name or None, expiresInSeconds=seconds)
    return Call("CreateToken", "POST", "/v1/tokens", one(NewToken), body=body)


def list_tokens() -> Call[list[AccessToken]]:
    """All access tokens of the account."""

    def decode(answer: Answer) -> list[AccessToken]:
        return msgspec.json.decode(answer.body, type=_Tokens).tokens

    return Call("ListTokens", "GET", "/v1/tokens", decode, idempotent=True)


def revoke_token(token_id: str) -> Call[None]:
    """Revoke an access token."""
    path = f"/v1/tokens/{segment('token_id', token_id)}"
    return Call("RevokeToken", "DELETE", path, nothing, idempotent=True)


def meant(qualifier: str) -> dict[str, str]:
    """The query that says which version is meant; "" for LATEST."""
    return {"qualifier": qualifier} if qualifier else {}


class Tag(msgspec.Struct, frozen=True, rename="pascal"):
    """One tag of one resource."""

    tag_key: str
    tag_value: str = ""


class _Tokens(msgspec.Struct):
    tokens: list[AccessToken]


class _Tags(msgspec.Struct, rename="pascal"):
    resources: list[Tag] = msgspec.field(default_factory=list, name="TagResources")
    next_token: str = ""


def _resource(owner: Owner) -> dict[str, str]:
    return {"ResourceType": _kind(owner), "ResourceId": _json([owner.name])}


def _kind(owner: Owner) -> str:
    return "service" if owner.service else "function"


def _json(texts: Sequence[str]) -> str:
    return msgspec.json.encode(list(texts)).decode()
