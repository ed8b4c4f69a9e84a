"""Every figure of the benchmark, in one table: what it is called, and what it must be.

`target` is what must be kept, `ambitious` what is hoped for; both are bounds in the figure's own unit. Most are ratios
of a yardstick that was measured in the same round, because absolute figures move with the machine. A figure without a
target is there to explain another one. How each is measured is told in docs/benchmark.md.
"""

from __future__ import annotations

import msgspec

LOW, HIGH = "lower is better", "higher is better"


class Figure(msgspec.Struct, frozen=True):
    """One row: its key (`group.name`), name, unit, which way is better, and the two bounds."""

    key: str
    name: str
    unit: str
    better: str = LOW
    target: float | None = None
    ambitious: float | None = None

    @property
    def group(self) -> str:
        """The group that measures it."""
        return self.key.partition(".")[0]


FIGURES: tuple[Figure, ...] = (
    Figure("latency.ack_of_sync", "submit ack p50, 1 connection / fdatasync", "ratio", LOW, 4, 2.5),
    Figure("latency.sojourn_of_sync", "submit → Succeeded durable p50 / (3 × fdatasync)", "ratio", LOW, 4, 2.2),
    Figure("latency.sync", "yardstick: append 4 KiB + fdatasync p50", "ms"),
    Figure("latency.sync_p99", "yardstick: append 4 KiB + fdatasync p99", "ms"),
    Figure("latency.ack", "submit ack p50, 1 connection", "ms"),
    Figure("latency.ack_p99", "submit ack p99, 1 connection", "ms"),
    Figure("latency.sojourn", "submit → Succeeded durable p50, 1 connection", "ms"),
    Figure("latency.sojourn_p99", "submit → Succeeded durable p99, 1 connection", "ms"),
    Figure("latency.seen", "submit → Succeeded seen by a client that polls p50", "ms"),
    Figure("throughput.sojourns_of_nginx", "full sojourns, single POSTs / nginx", "ratio", HIGH, 0.06, 0.10),
    Figure("throughput.batch_of_nginx", "full sojourns, batches of 100 / nginx", "ratio", HIGH, 0.12, 0.20),
    Figure("throughput.disk_of_bodies", "disk bytes per task / (payload + result) at 300 B", "ratio", LOW, 2.5, 1.8),
    Figure("throughput.nginx", "yardstick: nginx 202 responder", "requests/s", HIGH),
    Figure("throughput.bare", "yardstick: bare uvicorn 202 responder", "requests/s", HIGH),
    Figure("throughput.sojourns", "full sojourns, single POSTs", "tasks/s", HIGH),
    Figure("throughput.sojourns_of_bare", "full sojourns, single POSTs / bare responder", "ratio", HIGH),
    Figure("throughput.accepted", "accepted, single POSTs", "tasks/s", HIGH),
    Figure("throughput.batch", "full sojourns, batches of 100", "tasks/s", HIGH),
    Figure("throughput.ack", "202 under that load p50", "ms"),
    Figure("throughput.ack_p99", "202 under that load p99", "ms"),
    Figure("throughput.cpu", "CPU per task, server and instances", "µs"),
    Figure("throughput.cpu_server", "CPU per task, server process", "µs"),
    Figure("throughput.rss", "after the load RSS, server process", "MiB"),
    Figure("throughput.pss", "after the load PSS, server and children", "MiB"),
    Figure("store.rate_of_empty", "full sojourns on a full store / on an empty one", "ratio", HIGH, 0.5, 0.7),
    Figure("store.list_p99", "list page of 50 on a full store, the slowest filter's p99", "ms", LOW, 5, 2),
    Figure("store.get_of_bare", "get task on a full store p99 / bare responder p99", "ratio", LOW, 3, 2),
    Figure("store.list_newest", "page of 50: newest first p99", "ms"),
    Figure("store.list_succeeded", "page of 50: status Succeeded p99", "ms"),
    Figure("store.list_failed", "page of 50: status Failed p99", "ms"),
    Figure("store.list_running", "page of 50: status Running, of which there is none p99", "ms"),
    Figure("store.list_names", "page of 50: prefix that all chosen ids begin with p99", "ms"),
    Figure("store.list_name", "page of 50: prefix that a few chosen ids begin with p99", "ms"),
    Figure("store.list_ids", "page of 50: prefix of request ids p99", "ms"),
    Figure("store.list_times", "page of 50: started in a minute in the middle p99", "ms"),
    Figure("store.list_oldest", "page of 50: oldest first p99", "ms"),
    Figure("store.get_p99", "get task on a full store p99", "ms"),
    Figure("store.full", "full sojourns on a full store", "tasks/s", HIGH),
    Figure("store.empty", "full sojourns on an empty store", "tasks/s", HIGH),
    Figure("restart.first_claim", "restart with a long queue → first claim", "s", LOW, 3, 1),
    Figure("restart.ready", "restart with a long queue → ready", "s"),
    Figure("retention.deletes_of_inserts", "retention: deletes/s / inserts/s", "ratio", HIGH, 3, 10),
    Figure("retention.pause", "retention: longest writer pause", "ms", LOW, 30, 10),
    Figure("retention.deletes", "retention: deletes", "tasks/s", HIGH),
    Figure("retention.inserts", "inserts of the same server", "tasks/s", HIGH),
    Figure("instances.new", "new instance in a running sandbox p50", "ms", LOW, 10, 3),
    Figure("instances.preloaded", "the same with numpy and pandas preloaded p50", "ms", LOW, 15, 5),
    Figure("instances.crowd", "1 → many instances, all serving", "s", LOW, 3, 1),
    Figure("instances.new_function", "first call of a new function − warm call p50", "ms"),
    Figure("instances.warm", "warm synchronous call p50", "ms"),
    Figure("instances.first_sandbox", "new sandbox, first call of a server", "ms"),
    Figure("instances.sandbox", "new sandbox, first call of an account p50", "ms"),
    Figure("instances.crowd_each", "memory of each of the many (PSS)", "MiB"),
    Figure("instances.ready", "server start to ready", "ms"),
    Figure("payload.rate", "100 KB echo sojourns/s / 100 B", "ratio", HIGH, 0.25, 0.4),
    Figure("payload.small", "full sojourns, 100 B", "tasks/s", HIGH),
    Figure("payload.large", "full sojourns, 100 KB", "tasks/s", HIGH),
    Figure("idle.rss", "idle RSS, server process", "MiB", LOW, 80, 60),
    Figure("idle.cpu", "idle CPU, server and children", "% of a core", LOW, 0.5, 0.1),
    Figure("idle.sql", "idle SQL statements", "1/s", LOW, 2),
    Figure("idle.pss", "idle PSS, server and children", "MiB"),
    Figure("overload.ack_p99", "overload: ack p99 of the accepted, at most", "ms", LOW, 250),
    Figure("overload.errors", "overload: answers that are neither 202 nor 429", "answers", LOW, 0),
    Figure("overload.lost", "overload: accepted tasks that did not succeed", "tasks", LOW, 0),
    Figure("overload.of_peak", "overload: sojourns/s / peak", "ratio", HIGH, 0.9),
    Figure("overload.offered", "overload: requests/s that were offered / peak", "ratio", HIGH),
    Figure("overload.throttled", "overload: share of 429", "%"),
    Figure("overload.peak", "peak sojourns/s of that server", "tasks/s", HIGH),
    Figure("watch.event_p99", "commit → event at a watcher p99", "ms", LOW, 50),
    Figure("watch.event", "commit → event at a watcher p50", "ms"),
    Figure("watch.cost", "many watchers: throughput that they cost", "%", LOW, 10),
    Figure("growth.tasks", "CPU per task, growth with stored tasks / logarithmic", "ratio", LOW, 1.25),
    Figure("growth.functions", "CPU per task, growth with functions / logarithmic", "ratio", LOW, 1.25),
    Figure("growth.accounts", "CPU per task, growth with accounts / logarithmic", "ratio", LOW, 1.25),
    Figure("life.thaw", "thaw: first call of a frozen one − a warm call p50", "ms", LOW, 1.0),
    Figure("life.thaw_p99", "thaw: first call of a frozen one − a warm call p99", "ms"),
    Figure("life.freeze", "freeze an idle instance p50", "ms"),
    Figure("life.freeze_p99", "freeze an idle instance p99", "ms"),
    Figure("life.instance_memory", "memory of an idle Python instance (PSS)", "MiB", LOW, 3.0),
    Figure("life.hook_p99", "stop → PreStop called p99", "ms", LOW, 100),
    Figure("life.stopped", "stop → Stopped beyond the hook's time p50", "ms"),
    Figure("life.stopped_p99", "stop → Stopped beyond the hook's time p99", "ms", LOW, 250),
    Figure("life.per_initializer", "tasks per run of Initializer", "tasks", HIGH),
    Figure("life.first_idle", "first task of a function, idle p50", "ms"),
    Figure("life.first_beside", "the same beside another function's long line p50", "ms"),
    Figure("life.delay", "delay by another function's line", "ms", LOW, 50),
)
BY_KEY = {figure.key: figure for figure in FIGURES}


def of_group(name: str) -> list[Figure]:
    """The figures that a group measures, in the order of the table."""
    return [figure for figure in FIGURES if figure.group == name]
