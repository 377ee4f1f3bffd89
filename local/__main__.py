"""``python -m local COMMAND``: the stack without Docker."""

import argparse
import os
import sys

from rich.console import Console

from local.demo import DEMO_DAY, addresses, demo
from local.environment import environment
from local.guide import GUIDE, write_answers
from local.instance import Instance, LocalError, current
from local.stack import down, server, up
from local.status import status

COMMANDS = {
    "up": "start Postgres, MLflow, Airflow and the dashboard",
    "down": "stop them; data stay",
    "status": "show addresses, states and memory",
    "demo": "start, run the chain of DAGs on a data set, print what was published",
    "psql": "SQL as the analyst, from the terminal or standard input",
    "guide": "ask the questions of docs/analyst_guide.md again and write the answers into it",
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
        case "guide":
            console.print(f"{write_answers(instance)} answers written to {GUIDE}", highlight=False)
        case "exec":
            env = environment(instance)
            os.execvpe(options.arguments[0], options.arguments, env)  # noqa: S606 - the user's own command
    return 0


if __name__ == "__main__":
    sys.exit(main())
