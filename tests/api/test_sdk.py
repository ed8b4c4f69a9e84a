"""The official client of API 2023-03-30 drives the server as it drives Function Compute."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from alibabacloud_fc20230330 import models
from alibabacloud_fc20230330.client import Client
from alibabacloud_tea_openapi.models import Config
from darabonba.runtime import RuntimeOptions

from api.door import Caller, zipped
from sojourn.task import Claimed, Returned, Started, Success


@pytest.fixture
def sdk(caller: Caller) -> Any:
    """The official client, pointed at the server."""
    return Client(
        Config(
            access_key_id=caller.key.id,
            access_key_secret=caller.key.secret,
            endpoint=caller.door.host,
            protocol="http",
            region_id="any",
        )
    )


def create(sdk: Any, name: str = "f") -> Any:
    code = models.InputCodeLocation(zip_file=base64.b64encode(zipped()).decode())
    body = models.CreateFunctionInput(
        function_name=name, runtime="python3.12", handler="index.handler", code=code, memory_size=512, timeout=10
    )
    return sdk.create_function(models.CreateFunctionRequest(body=body)).body


def submit(sdk: Any, name: str = "f", task_id: str | None = None, payload: bytes = b"event") -> Any:
    headers = models.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id=task_id)
    request = models.InvokeFunctionRequest(body=payload)
    return sdk.invoke_function_with_options(name, request, headers, RuntimeOptions())


def test_functions(sdk: Any) -> None:
    """Create, get, update, list page by page, delete."""
    created = create(sdk)
    assert created.function_arn.endswith("functions/f")
    assert (created.state, created.memory_size, created.timeout) == ("Active", 512, 10)
    got = sdk.get_function("f", models.GetFunctionRequest()).body
    assert got.to_map() == created.to_map()
    body = models.UpdateFunctionInput(description="new words", timeout=20)
    updated = sdk.update_function("f", models.UpdateFunctionRequest(body=body)).body
    assert (updated.description, updated.timeout, updated.memory_size) == ("new words", 20, 512)
    create(sdk, "g")
    first = sdk.list_functions(models.ListFunctionsRequest(limit=1)).body
    second = sdk.list_functions(models.ListFunctionsRequest(limit=1, next_token=first.next_token)).body
    assert [one.function_name for one in [*first.functions, *second.functions]] == ["f", "g"]
    assert not second.next_token
    tagged = sdk.list_functions(models.ListFunctionsRequest(tags=[models.Tag(key="k", value="v")])).body
    assert not tagged.functions
    assert sdk.delete_function("f").status_code == 204
    with pytest.raises(Exception, match="function 'f' does not exist") as raised:
        sdk.get_function("f", models.GetFunctionRequest())
    assert (raised.value.code, raised.value.status_code) == ("FunctionNotFound", 404)  # type: ignore[attr-defined]  # the SDK is untyped


def test_asynchronous_configuration(sdk: Any) -> None:
    """Put, put a part, get, list, delete."""
    create(sdk)
    body = models.PutAsyncInvokeConfigInput(async_task=True, max_async_retry_attempts=1)
    sdk.put_async_invoke_config("f", models.PutAsyncInvokeConfigRequest(body=body, qualifier="LATEST"))
    body = models.PutAsyncInvokeConfigInput(max_async_event_age_in_seconds=60)
    put = sdk.put_async_invoke_config("f", models.PutAsyncInvokeConfigRequest(body=body)).body
    assert (put.async_task, put.max_async_retry_attempts, put.max_async_event_age_in_seconds) == (True, 1, 60)
    got = sdk.get_async_invoke_config("f", models.GetAsyncInvokeConfigRequest()).body
    assert got.to_map() == put.to_map()
    listed = sdk.list_async_invoke_configs(models.ListAsyncInvokeConfigsRequest(function_name="f")).body
    assert [one.function_arn for one in listed.configs] == [put.function_arn]
    assert sdk.delete_async_invoke_config("f", models.DeleteAsyncInvokeConfigRequest()).status_code == 204
    with pytest.raises(Exception, match="no async invoke config"):
        sdk.get_async_invoke_config("f", models.GetAsyncInvokeConfigRequest())


def test_reserved_concurrency(sdk: Any) -> None:
    """Put, get, list, delete."""
    create(sdk)
    body = models.PutConcurrencyInput(reserved_concurrency=1)
    put = sdk.put_concurrency_config("f", models.PutConcurrencyConfigRequest(body=body)).body
    assert put.reserved_concurrency == 1
    assert sdk.get_concurrency_config("f").body.to_map() == put.to_map()
    listed = sdk.list_concurrency_configs(models.ListConcurrencyConfigsRequest()).body
    assert [one.reserved_concurrency for one in listed.configs] == [1]
    assert sdk.delete_concurrency_config("f").status_code == 204
    with pytest.raises(Exception, match="no concurrency config"):
        sdk.get_concurrency_config("f")


def test_provisioned_instances(sdk: Any) -> None:
    """Put, get, list, delete."""
    create(sdk)
    body = models.PutProvisionConfigInput(default_target=0, always_allocate_cpu=False)
    put = sdk.put_provision_config("f", models.PutProvisionConfigRequest(body=body, qualifier="LATEST")).body
    assert (put.target, put.default_target, put.current, put.always_allocate_cpu) == (0, 0, 0, False)
    got = sdk.get_provision_config("f", models.GetProvisionConfigRequest(qualifier="LATEST")).body
    assert got.to_map() == put.to_map()
    listed = sdk.list_provision_configs(models.ListProvisionConfigsRequest(function_name="f")).body
    assert [one.function_arn for one in listed.provision_configs] == [put.function_arn]
    deleted = sdk.delete_provision_config("f", models.DeleteProvisionConfigRequest(qualifier="LATEST"))
    assert deleted.status_code == 204
    with pytest.raises(Exception, match="no provision config"):
        sdk.get_provision_config("f", models.GetProvisionConfigRequest())


def test_scaling_and_instances(sdk: Any, caller: Caller) -> None:
    """Put, get, list, delete; the instance that is kept is listed, with its filters."""
    create(sdk)
    body = models.PutScalingConfigInput(min_instances=1)
    put = sdk.put_scaling_config("f", models.PutScalingConfigRequest(body=body)).body
    assert (put.min_instances, put.target_instances, put.enable_on_demand_scaling) == (1, 1, True)
    caller.door.settled(caller.account_id)
    got = sdk.get_scaling_config("f", models.GetScalingConfigRequest()).body
    assert (got.current_instances, got.current_error, got.function_arn) == (1, "", put.function_arn)
    listed = sdk.list_scaling_configs(models.ListScalingConfigsRequest(limit=5)).body
    assert [one.min_instances for one in listed.scaling_configs] == [1]

    (instance,) = sdk.list_instances("f", models.ListInstancesRequest(with_all_active=True)).body.instances
    assert (instance.status, instance.qualifier, instance.version_id) == ("Running", "LATEST", "0")
    request = models.ListInstancesRequest(
        instance_ids=[instance.instance_id],
        instance_status=["Running"],
        limit="5",
        start_time_ms=instance.created_time_ms,
        end_time_ms=instance.created_time_ms,
    )
    assert [one.instance_id for one in sdk.list_instances("f", request).body.instances] == [instance.instance_id]
    gone = models.ListInstancesRequest(instance_status=["Destroyed"])
    assert sdk.list_instances("f", gone).body.instances == []
    assert sdk.delete_scaling_config("f", models.DeleteScalingConfigRequest()).status_code == 204
    with pytest.raises(Exception, match="no scaling config"):
        sdk.get_scaling_config("f", models.GetScalingConfigRequest())


def test_a_task_from_submit_to_its_end(sdk: Any, caller: Caller) -> None:
    """Submit, submit again, get, list with every filter, stop, stop again."""
    create(sdk)
    accepted = submit(sdk, task_id="t1")
    assert accepted.status_code == 202
    assert accepted.headers["x-fc-async-task-id"] == "t1"
    with pytest.raises(Exception, match="async task 't1' already exists") as raised:
        submit(sdk, task_id="t1")
    assert raised.value.status_code == 409  # type: ignore[attr-defined]  # the SDK is untyped

    got = sdk.get_async_task("f", "t1", models.GetAsyncTaskRequest(qualifier="LATEST")).body
    assert (got.status, got.task_payload, got.end_time, got.duration_ms) == ("Enqueued", "event", 0, 0)
    assert (got.events[0].event_id, got.events[0].status) == (1, "Enqueued")
    assert got.request_id == accepted.headers["x-fc-request-id"]

    nameless = submit(sdk).headers["x-fc-async-task-id"]
    request = models.ListAsyncTasksRequest(
        include_payload=True,
        limit=10,
        prefix="t",
        qualifier="LATEST",
        sort_order_by_time="asc",
        started_time_begin=got.started_time,
        started_time_end=got.started_time,
        status="Enqueued",
    )
    listed = sdk.list_async_tasks("f", request).body
    assert [(one.task_id, one.task_payload) for one in listed.tasks] == [("t1", "event")]
    everything = sdk.list_async_tasks("f", models.ListAsyncTasksRequest()).body
    assert {one.task_id for one in everything.tasks} == {"t1", nameless}

    assert sdk.stop_async_task("f", "t1", models.StopAsyncTaskRequest()).status_code == 204
    with pytest.raises(Exception, match="already completed") as raised:
        sdk.stop_async_task("f", "t1", models.StopAsyncTaskRequest())
    assert raised.value.status_code == 412  # type: ignore[attr-defined]  # the SDK is untyped
    stopped = sdk.get_async_task("f", "t1", models.GetAsyncTaskRequest()).body
    assert [event.status for event in stopped.events] == ["Enqueued", "Stopping", "Stopped"]

    door = caller.door
    task = door.run(door.queue.find(door.catalog.function(caller.account_id, "f"), nameless))
    door.advance(task, Claimed(1), Started("i-1"), Returned(Success(result=b"done")))
    ended = sdk.get_async_task("f", nameless, models.GetAsyncTaskRequest()).body
    assert (ended.status, ended.return_payload, ended.instance_id) == ("Succeeded", "done", "i-1")
    assert ended.end_time > 0


def test_a_synchronous_call(sdk: Any) -> None:
    """Bytes in, bytes out, with the log's end on demand."""
    create(sdk)
    headers = models.InvokeFunctionHeaders(x_fc_log_type="Tail")
    request = models.InvokeFunctionRequest(body=b"\x00\xff event", qualifier="LATEST")
    answer = sdk.invoke_function_with_options("f", request, headers, RuntimeOptions())
    assert answer.body.read() == b"\x00\xff event"
    assert b"hello\n" in base64.b64decode(answer.headers["x-fc-log-result"])


def test_refusals_reach_the_caller_with_their_code(sdk: Any, caller: Caller) -> None:
    """The client reads code, status, message and request id of every refusal."""
    create(sdk)
    with pytest.raises(Exception, match=r"payload size exceeds maximum allowed size \(131072 bytes\)") as raised:
        submit(sdk, payload=b"x" * 200_000)
    assert raised.value.code == "EntityTooLarge"  # type: ignore[attr-defined]  # the SDK is untyped
    with pytest.raises(Exception, match="limit must be a whole number between 1 and 100, got 0"):
        sdk.list_async_tasks("f", models.ListAsyncTasksRequest(limit=0))
    stranger = Client(
        Config(access_key_id="nobody", access_key_secret="x", endpoint=caller.door.host, protocol="http", region_id="a")
    )
    with pytest.raises(Exception, match="invalid access key ID 'nobody'"):
        stranger.get_function("f", models.GetFunctionRequest())
    wrong = Client(
        Config(
            access_key_id=caller.key.id,
            access_key_secret="x",
            endpoint=caller.door.host,
            protocol="http",
            region_id="a",
        )
    )
    with pytest.raises(Exception, match="does not match the signature") as raised:
        wrong.get_function("f", models.GetFunctionRequest())
    assert (raised.value.code, raised.value.status_code) == ("SignatureNotMatch", 403)  # type: ignore[attr-defined]  # the SDK is untyped
