"""Every system under 1, 16, 64 and 256 callers, in interleaved rounds: A B C, C B A, A B C.

Only one system exists at a time, freshly started for each round, and the broker and the store stand still
while a system without them is measured: on two cores even the idle processes of another would be seen. What
the machine does to one round it does to all systems in it, so ratios are taken within a round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.catalog import systems
from bench.preparation import NotPrepared, make_environment
from bench.process_tree import memory_mb, tree
from bench.tables import OURS
from bench.throughput_tables import show
from bench.window import LoadFailed, Window, settle
from local.child import StartError

if TYPE_CHECKING:
    from bench.bench import Bench, Figures
    from bench.system import System

__all__ = ["measure", "show"]
QUICK_CALLERS = (1, 64)
WARM_CALLERS, WARM_SECONDS = 16, 1.5


def measure(bench: Bench) -> Figures:
    """All rounds; a system that cannot be installed, started or measured is left out, with the reason."""
    chosen, left_out = _installed(systems(quick=bench.options.quick, names=bench.options.peers))
    found: dict[str, dict[str, Any]] = {
        system.name: {"title": system.title, "loads": {}, "memory_mb": [], "servers_mb": []}
        for system in chosen
    }
    for number in range(bench.options.rounds):
        for system in chosen if number % 2 == 0 else chosen[::-1]:
            if system.name not in left_out:
                try:
                    _measure(bench, system, found[system.name])
                except (StartError, LoadFailed, OSError) as error:
                    left_out[system.name] = str(error)[-600:]
                    print(f"bench: {system.title} is left out: {error}", flush=True)
    if OURS in left_out:
        raise LoadFailed(f"Tandem could not be measured: {left_out[OURS]}")
    return {
        "systems": {name: figures for name, figures in found.items() if name not in left_out},
        "left_out": left_out,
    }


def _installed(chosen: list[System]) -> tuple[list[System], dict[str, str]]:
    missing: dict[str, str] = {}
    for system in chosen:
        if system.peer:
            try:
                make_environment(system.peer)
            except NotPrepared as error:
                missing[system.name] = f"cannot be installed: {error}"
                print(f"bench: {system.title} {missing[system.name]}", flush=True)
    return [system for system in chosen if system.name not in missing], missing


def _measure(bench: Bench, system: System, figures: dict[str, Any]) -> None:
    with system.running(bench.servers) as running:
        bench.window(running, system.exchange, WARM_CALLERS, seconds=WARM_SECONDS)
        for callers in QUICK_CALLERS if bench.options.quick else system.callers:
            settle()
            window = bench.window(running, system.exchange, callers)
            rounds = figures["loads"].setdefault(str(callers), [])
            if window.result.requests:
                rounds.append(_of(window))
            print(f"  {system.title:32} {_line(callers, window)}", flush=True)
        figures["memory_mb"].append(round(memory_mb(tree(running.pids)), 1))
        servers = memory_mb(tree(bench.servers.pids)) if system.needs_servers else 0.0
        figures["servers_mb"].append(round(servers, 1))


def _of(window: Window) -> dict[str, Any]:
    result = window.result
    return {
        "rate": round(result.rate, 1),
        "p50": round(result.p50, 2),
        "p99": round(result.p99, 2),
        "cpu": round(window.per_thousand(window.cpu), 3),
        "servers_cpu": round(window.per_thousand(window.servers_cpu), 3),
        "load_cpu": round(window.per_thousand(window.load_cpu), 3),
        "failures": result.failures,
        **({"failure": result.failure[:160]} if result.failures else {}),
    }


def _line(callers: int, window: Window) -> str:
    result = window.result
    failed = f", {result.failures} failed: {result.failure[:120]}" if result.failures else ""
    return (
        f"{callers:4} callers {result.rate:7.0f} req/s, p50 {result.p50:.1f} p99 {result.p99:.1f} ms, "
        f"{window.per_thousand(window.cpu):.2f} CPU s per 1,000{failed}"
    )
