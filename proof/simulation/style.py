"""The style of a run: which faults there are in it and how often, how large the server is, what its clients like.

Each seed draws its own, so that a thousand seeds are a thousand kinds of bad days: some lose frames and nothing else,
some have a disk that is slow all the time, some are calm. Nothing is on in all of them.
"""

from __future__ import annotations

import msgspec

from .chance import Chance

FAULTS = {
    # The disk: shares of batches, and of reads.
    "disk: slow": (0.005, 0.15),
    "disk: refused": (0.002, 0.05),
    "disk: unreadable": (0.001, 0.02),
    "disk: sync failed": (0.001, 0.01),
    "disk: killed before commit": (0.0005, 0.01),
    "disk: killed after commit": (0.0005, 0.01),
    "disk: answer late": (0.005, 0.1),
    # The agents and what they say: shares of starts, of frames.
    "agent: unstartable": (0.02, 0.3),
    "create: failed": (0.01, 0.1),
    "created: late": (0.01, 0.2),
    "result: late": (0.01, 0.2),
    "result: lost": (0.01, 0.1),
    "result: doubled": (0.01, 0.2),
    "exit: late": (0.01, 0.2),
    "exit: doubled": (0.01, 0.2),
    "exit: lost": (0.002, 0.04),
    "created: lost": (0.002, 0.04),
    "hooked: late": (0.01, 0.2),
    "instance: crashed": (0.01, 0.15),
    "initializer: fails": (0.01, 0.2),
    "initializer: hangs": (0.01, 0.1),
    "initializer: crashes": (0.01, 0.1),
    "preFreeze: fails": (0.05, 0.5),
    "preFreeze: hangs": (0.05, 0.5),
    "preFreeze: crashes": (0.03, 0.4),
    "preStop: fails": (0.02, 0.3),
    "preStop: hangs": (0.02, 0.3),
    "preStop: crashes": (0.02, 0.2),
    # Clients and targets: shares of calls.
    "answer: lost": (0.01, 0.15),
    "client: gone": (0.02, 0.3),
    "caller: gone": (0.1, 0.8),
    "target: down": (0.05, 0.5),
    "target: refuses": (0.03, 0.3),
    "target: hangs": (0.01, 0.2),
}
"""Faults that happen where something passes by, and the bounds of their rates."""
ACTS = (
    "server: killed",
    "server: restarted",
    "server: stands still",
    "clock: forward",
    "clock: back",
    "agent: killed",
    "agent: mute",
    "agent: garbage",
    "task: hunted",
    "idle instance: crashed",
    "disk: full",
)
"""Faults that somebody does, at any moment."""
KINDS = (*FAULTS, *ACTS)


class Style(msgspec.Struct, kw_only=True):
    """What a seed drew. Times in seconds, memory in MB."""

    seed: int
    rates: dict[str, float]
    acts: dict[str, float]
    act_seconds: float
    order: float
    chaos_seconds: float
    clients: int
    tasks: int
    think_seconds: float
    functions: int
    memory_mb: int
    instances_max: int
    idle_seconds: float
    grace_seconds: float
    linger_seconds: float
    headroom: float
    retry_base_seconds: float
    give_up_seconds: float
    create_seconds: float
    cancels: bool
    churn: float
    trouble: float


def style_of(seed: int, chance: Chance) -> Style:
    """The style of a seed."""
    share = chance.between("share of faults", 0.15, 0.7)
    rates = {
        name: chance.spread(f"rate of {name}", *bounds)
        for name, bounds in FAULTS.items()
        if chance.coin(f"is there {name}", share)
    }
    acts = {name: chance.spread(f"weight of {name}", 0.2, 1.0) for name in ACTS if chance.coin(f"is there {name}", 0.5)}
    tasks = chance.whole("tasks", 16, 34)
    chaos_seconds = chance.spread("chaos seconds", 30.0, 240.0)
    clients = chance.whole("clients", 2, 5)
    return Style(
        seed=seed,
        rates=rates,
        acts=acts,
        act_seconds=chaos_seconds / chance.between("acts", 1.0, 12.0),
        order=chance.one_of("order", (1.0, 1.0, 0.3, 0.0)),
        chaos_seconds=chaos_seconds,
        clients=clients,
        tasks=tasks,
        think_seconds=chaos_seconds * clients / tasks / 2.5,
        functions=chance.whole("functions", 2, 5),
        memory_mb=chance.one_of("memory", (512, 1024, 2048)),
        instances_max=chance.whole("instances", 2, 10),
        idle_seconds=chance.spread("idle", 0.5, 60.0),
        grace_seconds=chance.spread("grace", 0.05, 2.0),
        linger_seconds=chance.spread("linger", 0.02, 5.0),
        headroom=chance.one_of("headroom", (0.0, 0.0, 0.1)),
        retry_base_seconds=chance.spread("retry base", 0.1, 4.0),
        give_up_seconds=chance.spread("give up", 5.0, 300.0),
        create_seconds=chance.spread("creation", 0.02, 3.0),
        cancels=chance.coin("cancels", 0.7),
        churn=chance.spread("churn", 0.02, 0.4),
        trouble=chance.spread("trouble", 0.1, 0.7),
    )
