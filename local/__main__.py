"""``python -m local COMMAND``: the stack without Docker."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from local.backup import backup, restore
from local.demo import DEMO_DAY, addresses, demo
from local.dependencies import audit
from local.environment import environment
from local.export import export
from local.guide import GUIDE, write_answers
from local.instance import Instance, LocalError, current
from local.keeper import keep
from local.stack import components, down, keeper, server, up
from local.status import status

COMMANDS = {
    "up": "start Postgres, MLflow, Airflow and the dashboard",
    "down": "stop them; data stay",
    "status": "show addresses, states and memory",
    "demo": "start, run the chain of DAGs on a data set, print what was published",
    "psql": "SQL as the analyst, from the terminal or standard input",
    "operator": "SQL as the superuser, for docs/runbook.md; reads only unless a transaction begins read write",
    "audit": "look for known holes in the packages of the lock, or say that nobody looked",
    "backup": "write the three databases and MLflow's artifacts into a new folder",
    "restore": "fill an empty stack from such a folder",
    "export": "write a mart to a CSV file in which no cell is a formula",
    "guide": "ask the questions of docs/analyst_guide.md again and write the answers into it",
    "keep": "start again what ended by itself; `up` leaves it running",
    "exec": "run a command in the stack's environment, for example: exec python -m ml report",
}


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    parsers["demo"].add_argument("--source", default="complete_journey")
    parsers["demo"].add_argument("--as-of", default=DEMO_DAY)
    parsers["psql"].add_argument("arguments", nargs=argparse.REMAINDER)
    parsers["export"].add_argument("mart", help="its name, for example fct_bundles")
    parsers["export"].add_argument("file", type=Path)
    for name in ("backup", "restore"):
        parsers[name].add_argument("folder", type=Path)
    parsers["operator"].add_argument("arguments", nargs=argparse.REMAINDER)
    parsers["exec"].add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if getattr(options, "arguments", [])[:1] == ["--"]:
        # Two dashes say that what follows is not for us; some versions of argparse hand them on.
        options.arguments.pop(0)
    console = Console()
    try:
        return _run(options, current(), console)
    except LocalError as error:
        console.print("[bold red]error:[/]", end=" ")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; the next call goes on from here")
        return 130


def _run(options: argparse.Namespace, instance: Instance, console: Console) -> int:
    match options.command:
        case "up":
            up(instance, console)
            console.print(addresses(instance), highlight=False, soft_wrap=True)
        case "down":
            down(instance)
        case "status":
            return 0 if status(instance, console) else 1
        case "demo":
            up(instance, console)
            demo(instance, console, options.source, options.as_of)
        case "psql":
            return server(instance).psql("bundles_analyst", "shop", options.arguments)
        case "operator":
            return server(instance).psql("postgres", "shop", options.arguments, reads_only=True)
        case "audit":
            is_well, lines = audit()
            console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
            return 0 if is_well else 1
        case "backup":
            files = backup(server(instance), options.folder)
            console.print(f"{options.folder}: {', '.join(files)}", highlight=False, soft_wrap=True)
        case "restore":
            if any(part.process(instance) for part in [*components(instance).values(), keeper(instance)]):
                raise LocalError("the stack is up; `make down`, then call again")
            restore(server(instance), options.folder)
            console.print(f"restored from {options.folder}; `make up` starts it", highlight=False, soft_wrap=True)
        case "export":
            rows = export(server(instance), options.mart, options.file)
            console.print(f"{rows} rows written to {options.file}", highlight=False, soft_wrap=True)
        case "guide":
            console.print(f"{write_answers(instance)} answers written to {GUIDE}", highlight=False)
        case "keep":
            keep(instance)
        case "exec":
            env = environment(instance)
            os.execvpe(options.arguments[0], options.arguments, env)  # noqa: S606 - the user's own command
    return 0


if __name__ == "__main__":
    sys.exit(main())
