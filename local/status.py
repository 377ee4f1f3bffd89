"""What runs, where it answers and how much memory it takes."""

from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from local.instance import Instance
from local.postgres import Server
from local.processes import memory_mb
from local.stack import answers, components, health_addresses, keeper, server, without_heartbeat


def status(instance: Instance, console: Console) -> bool:
    """Print each component's address, state and memory; tell whether all are up."""
    table = Table(title=f"Stack in {instance.home}")
    for heading in ("component", "address", "state", "memory"):
        table.add_column(heading, justify="right" if heading == "memory" else "left")
    postgres = server(instance)
    is_up = postgres.is_running()
    memory = _postgres_memory(postgres) if is_up else 0.0
    table.add_row("postgres", f"127.0.0.1:{postgres.port}", "up" if is_up else "down", f"{memory:.0f} MB")
    health, unwell = health_addresses(instance), without_heartbeat(instance)
    total, all_up = memory, is_up
    for name, component in [*components(instance).items(), ("keeper", keeper(instance))]:
        runs = component.process(instance) is not None
        is_well = runs and name not in unwell and (name not in health or answers(health[name]))
        # What the keeper started again is its child and has a row of its own.
        used = component.memory_mb(instance, is_alone=name == "keeper")
        total += used
        all_up &= is_well
        state = "up" if is_well else "no heartbeat" if runs and name in unwell else "starting" if runs else "down"
        address = f"http://{urlsplit(health[name]).netloc}" if name in health else ""
        table.add_row(name, address, state, f"{used:.0f} MB")
    table.add_row("total", "", "", f"{total:.0f} MB")
    console.print(table)
    return all_up


def _postgres_memory(postgres: Server) -> float:
    process = postgres.process()
    return sum(map(memory_mb, [process, *process.children(recursive=True)])) if process else 0.0
