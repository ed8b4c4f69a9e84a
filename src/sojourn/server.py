"""The composition root: makes the parts, hands them to each other, and takes them down again.

Only here are drivers chosen (by entry-point name), settings read, signals caught and randomness made. The order of a
start is the order of trust: lock and open the store, end what an earlier server left running, judge what it was busy
with, and only then listen. The order of an end is the reverse, after running tasks have had their grace.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import resource
import secrets
import signal
import socket
import sys
from importlib.metadata import entry_points

import uvloop

from . import identity
from .announcement import announce, write_credentials
from .api.app import build
from .api.backend import Backend
from .api.listening import HttpServer
from .auditor import Auditor
from .catalog import Catalog
from .clock import clock_of, unscaled
from .code import CodeStore
from .config import Settings
from .console import routes as console
from .crashpoint import crashpoint
from .deliveries import Deliveries
from .dispatcher import Dispatcher
from .drivers import SANDBOX_ORDER, driver, isolation
from .errors import InvalidArgument, SojournError
from .feed import Feed
from .function import AccessKey, Account, Function
from .homes import Homes, mark_of
from .hosts import Hosts, parse_hosts
from .listener import listen
from .logs import Logs
from .operations import Operations
from .pool import Pool
from .queue import Queue
from .reports import Reports
from .retention import Retention
from .runtime import Runtime
from .sandboxes.container import ContainerDriver
from .sandboxes.overheard import Listener, overheard
from .services import Services
from .sessions import Sessions
from .statistics import Statistics
from .store import Store
from .target import Reach, parse_bridges
from .task import Backoff, Task
from .timers import Timers
from .tokens import Tokens
from .users import Users
from .webhook import Webhook

log = logging.getLogger("sojourn")


class Server:
    """One server on one data directory: `start`, then `run` until it is told to end, then `stop`."""

    def __init__(self, settings: Settings, listener: Listener | None = None) -> None:  # it hears what functions write
        self.settings, self._listener = settings, listener
        self.clock = clock_of(settings.time_scale)
        self.numbers = identity.Numbers()
        self.url = ""
        self._ending = asyncio.Event()
        self._hurry = asyncio.Event()
        self._ready = False
        self.status = 0
        self._http: HttpServer | None = None

    async def start(self) -> None:
        """Bring everything up; on return the server answers.

        Raises
        ------
        SojournError: it cannot start; the message says why and what to do.

        """
        settings = self.settings
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = listen(settings.host, settings.port)
        self.store: Store = driver("sojourn.stores", "sqlite")(settings.data_dir, on_failed=self._store_failed)
        try:
            incarnation = await self.store.open()
            await self._build(incarnation)
            await self.dispatcher.recover(await self.queue.load(incarnation))
            crashpoint("server.recover.done")
        except BaseException:
            listener.close()
            await self.store.close()
            raise
        self.dispatcher.start()
        for function in self.catalog.with_minimum():
            self.pool.change(function)
        self.deliveries.start()
        self.timers.start()
        self.operations.start()
        self.auditor.start(settings.audit_seconds)
        self.retention.start()
        await self._serve_http(listener)
        owner = self._owner()
        write_credentials(settings, self.url, owner, self.catalog.keys_of(owner.id)[0])
        crashpoint("server.ready.before")
        self._ready = True
        # What is there now stays. A task leaves no cycles behind, an error that is told may: the collector comes by
        # seldom, and before such garbage takes megabytes.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 50)
        announce(settings, self.isolation, self.url, owner)

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT, or a store that cannot be trusted any more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        await self._ending.wait()

    def end(self) -> None:
        """Ask the server to end; asking twice cuts the grace short."""
        if self._ending.is_set():
            self._hurry.set()
        self._ending.set()

    def _store_failed(self, error: SojournError) -> None:
        """After a failed sync nothing can be promised: end at once, and let the next start read what is durable."""
        log.critical("the server ends because its disk failed: %s", error)
        self.status = 1
        self.end()
        self.end()

    async def stop(self) -> None:
        """Drain and take everything down; what is queued stays queued."""
        self._ready = False
        log.info("draining: nothing new starts, running tasks get %g s", self.settings.drain_seconds)
        crashpoint("server.drain.begun")
        drain = asyncio.ensure_future(self.dispatcher.drain(self.settings.drain_seconds))
        hurry = asyncio.ensure_future(self._hurry.wait())
        await self.timers.close()
        await self.operations.close()
        await self.auditor.close()
        await self.retention.close()
        await asyncio.wait([drain, hurry], return_when=asyncio.FIRST_COMPLETED)
        for each in (drain, hurry):
            each.cancel()
        crashpoint("server.drain.waited")
        await self.pool.close("drain")
        await self.dispatcher.close()
        await self.reports.close()
        crashpoint("server.drain.ended")
        self.logs.close()
        self.feed.close()
        await self.deliveries.close()
        await self.webhook.close()
        if self._http is not None:
            await self._http.close()
        crashpoint("server.drain.closed")
        await self.store.close()

    # Making the parts -------------------------------------------------------------------------------------------------

    async def _build(self, incarnation: int) -> None:
        settings, clock = self.settings, self.clock
        reach = Reach(
            region=settings.region,
            bridges=parse_bridges(settings.bridge_urls),
            private_addresses=settings.webhook_private_addresses,
        )
        mark = mark_of(settings.data_dir)
        sandboxes = settings.data_dir / "sandboxes"
        containers = ContainerDriver()
        crashpoint("server.reap.before")
        for each in (*(driver("sojourn.sandboxes", name)() for name in SANDBOX_ORDER), containers):
            left = await each.reap(sandboxes, mark)
            if left:
                log.warning("ended %d processes that an earlier server left behind", left)
        crashpoint("server.reap.done")
        self.runtimes: dict[str, Runtime] = {
            entry.name: entry.load()() for entry in entry_points(group="sojourn.runtimes")
        }
        # At a restart tasks may wait already, and what runs them is found by running it: as much work as the trial.
        looking = asyncio.ensure_future(asyncio.to_thread(self._look)) if incarnation > 1 else None
        sandbox, self.isolation = await isolation(settings.sandbox)
        code = CodeStore(settings.data_dir / "code")
        self.homes = Homes(
            overheard(sandbox, self._listener),
            self.runtimes.values(),
            sandboxes,
            code.directory,
            mark=mark,
            network=settings.network,
            network_others=settings.network_others,
            region=settings.region,
            containers=overheard(containers, self._listener),
            users=Users(settings.data_dir / "users") if os.geteuid() == 0 else None,
            looking=looking,
        )
        self.catalog = Catalog(
            self.store,
            code,
            clock,
            check_runtime=self._check_runtime,
            multi_account=self.isolation.multi_account or settings.allow_unisolated,
            offline_works="none" in self.isolation.networks,
            reach=reach,
        )
        self.catalog.on_account = self.homes.admit
        await self.catalog.load()
        self.tokens = Tokens(self.store, unscaled(clock))
        await self.tokens.load()
        self.services = Services(self.store, clock, self.catalog)
        await self.services.load()
        await self._first_account()
        self.pool = Pool(
            self.homes,
            clock,
            self.numbers,
            memory_mb=settings.memory_mb,
            instances_max=settings.instances_max,
            idle_seconds=settings.idle_seconds,
            grace_seconds=settings.grace_seconds,
            linger_seconds=settings.linger_seconds,
            headroom=settings.headroom,
        )
        self.queue = Queue(
            self.store,
            clock,
            self.numbers,
            submits_pending_max=settings.submits_pending_max,
            tasks_open_max=settings.tasks_open_max,
        )
        self.feed = Feed(incarnation, lambda function_id: self.catalog.by_id(function_id).name)
        self.statistics = Statistics(clock)
        self.queue.on_moved = self._moved
        self.reports = Reports(self.store, clock)
        self.dispatcher = Dispatcher(
            self.queue,
            self.pool,
            clock,
            function_of=self.catalog.by_id,
            backoff=Backoff(base_seconds=settings.retry_base_seconds, cap_seconds=settings.retry_cap_seconds),
            rng=random.Random(secrets.randbits(64)),
            reports=self.reports,
        )
        self.timers = Timers(self.store, clock, self.catalog, self.queue)
        await self.timers.load()
        self.operations = Operations(
            self.store,
            self.queue,
            self.catalog,
            clock,
            stops=self.dispatcher,
            number=lambda: self.numbers.next(clock.now()),
        )
        await self.operations.load()
        self.auditor = Auditor(self.store, unscaled(clock))
        self.retention = Retention(self.queue, clock, settings.retention_seconds)
        self.logs = Logs(self.queue, self.dispatcher.attempt)
        self.webhook = Webhook(unscaled(clock), private_addresses=reach.private_addresses)
        self.deliveries = Deliveries(
            self.store,
            self.queue,
            clock,
            post=self.webhook.post,
            reach=reach,
            function_of=self.catalog.by_id,
            function_named=self.catalog.qualified,
            secret_of=self.catalog.webhook_secret,
            give_up_seconds=settings.delivery_seconds,
            at_a_time=settings.deliveries_max,
            rng=random.Random(secrets.randbits(64)),
        )
        self.catalog.on_change = self._function_changed

    def _look(self) -> None:
        """Have every runtime look for its interpreters, which it does once."""
        for runtime in self.runtimes.values():
            runtime.interpreters()

    def _check_runtime(self, runtime: str) -> None:
        resolved = self.homes.resolve(runtime)
        if not resolved.exact:
            log.warning("runtime %s: %s", runtime, resolved.note)

    def _moved(self, before: Task | None, after: Task) -> None:
        self.feed.moved(before, after)
        self.statistics.moved(before, after)

    def _function_changed(self, function: Function) -> None:
        self.pool.change(function)
        self.dispatcher.look_again()

    async def _first_account(self) -> None:
        settings = self.settings
        wanted = settings.access_key_id
        if bool(wanted) != bool(settings.access_key_secret):
            raise InvalidArgument(
                "SOJOURN_ACCESS_KEY_ID", wanted, "must be set together with SOJOURN_ACCESS_KEY_SECRET"
            )
        if self.catalog.accounts():
            known = self.catalog.key(wanted) if wanted else None
            if wanted and (known is None or known.secret != settings.access_key_secret):
                raise InvalidArgument(
                    "SOJOURN_ACCESS_KEY_ID", wanted, "must be a key pair of this data directory, which has its accounts"
                )
            return
        account_id = settings.account_id or str(secrets.randbelow(9 * 10**15) + 10**15)
        key = None
        if wanted:
            key = AccessKey(
                id=wanted, secret=settings.access_key_secret, account_id=account_id, created_at=self.clock.now()
            )
        await self.catalog.create_account(account_id, key)

    async def _serve_http(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        backend = Backend(
            catalog=self.catalog,
            tokens=self.tokens,
            trail=self.store,
            services=self.services,
            timers=self.timers,
            queue=self.queue,
            feed=self.feed,
            statistics=self.statistics,
            dispatcher=self.dispatcher,
            pool=self.pool,
            logs=self.logs,
            deliveries=self.deliveries,
            operations=self.operations,
            reports=self.reports,
            runtimes=self.runtimes,
            clock=self.clock,
            numbers=self.numbers,
            settings=self.settings,
            isolation=self.isolation,
            ready=lambda: self._ready,
            auditor=self.auditor,
            sessions=Sessions(unscaled(self.clock)),
            hosts=Hosts(parse_hosts(self.settings.console_hosts)),
            cached_bytes=self.store.cached_bytes,
            url=self.url,
        )
        self._http = HttpServer(build(backend, console.routes), unscaled(self.clock))
        await self._http.start(listener)

    def _owner(self) -> Account:
        return self.catalog.accounts()[0]


def serve(settings: Settings) -> int:
    """Run a server until it is told to end; returns the exit status.

    Raises
    ------
    SojournError: it cannot start; the message says why and what to do.

    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))  # shells give a thousand: few connections
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    server = Server(settings)
    await server.start()
    await server.run()
    await server.stop()
    return server.status
