"""The command line, ``python -m ml STAGE --as-of 2017-12-03``: Airflow and a person run the same one."""

import argparse
import errno
import importlib
import json
import logging
import resource
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from ml.errors import ShopError, TemporaryError
from ml.params import DECLARATION, Context, Counts, Question, RunParams
from ml.trials.arguments import HELP, add_arguments

STAGES = {
    "load_raw": "land a source's deliveries in schema raw, with manifest and quarantine",
    "replay_quarantine": "land the records of the quarantine that are good by now, or that a file mends",
    "check_freshness": "stop when the newest order is too old for the as-of date, or days before it lack",
    "build_features": "run dbt: staging to features and marts, with all tests",
    "train_association": "count pairs, compare, register the association model (or confirm the champion)",
    "train_preference": "train, compare, calibrate, register the preference model (or confirm the champion)",
    "evaluate_policies": "compare bundle policies on held-out baskets",
    "propose_candidates": "score each customer's candidates and the associations among them",
    "optimise_bundles": "choose each customer's bundles, with certificates",
    "list_bundles": "choose the bundles the shop lists for everybody, and rank the bundles it has for each customer",
    "audit_bundles": "check the candidate run before anybody reads it",
    "plan_cross_category": "choose what to promote together, at what discount, and whom to invite",
    "plan_bundle_sale": "choose bundles for everybody and their prices",
    "plan_replenishment": "forecast demand, and say what to reorder and what to sell off in bundles",
    "plan_launch": "choose partners and audience of new products",
    "plan_customer_care": "write a card and the alerts of each customer for service staff",
    "evaluate_scenario": "judge a scenario on days it has not seen, beside the rule that a shop uses today",
    "measure_experiment": "read out the shop's experiment: what an arm brought over the control arm",
    "measure_off_policy": "value policies over the shop's bundles before anybody sees them, from the log",
    "measure_drift": "check whether what the models read and say looks as before, and whether the data are fresh",
    "report_measurements": "write what was measured as one page with pictures into MLflow",
    "audit_scenario": "check the run of a scenario before anybody reads it",
    "publish_bundles": "move the published pointer to the audited run",
    "rollback_bundles": "move the published pointer back to the run before",
    "check_invariants": "check what must hold at any moment, such as that no record is lost",
    "explain_bundle": "say why a customer does, or does not, get some products together",
    "report": "print the published run, ten bundles and the policy comparison",
}

UNDATED = ("rollback_bundles", "report", "check_invariants", "explain_bundle")
"""Stages about what is published, whatever its day."""

ERASURE = "leave a customer out from now on: results go at once, no run is published with them"
INCIDENT = "write down that something went wrong, and tell whom the settings name"

log = logging.getLogger("ml")


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; each stage takes the parameters of ``parameters.json``."""
    top = argparse.ArgumentParser(prog="python -m ml", description="Stages of the bundle pipeline.")
    stages = top.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for stage, text in STAGES.items():
        one = stages.add_parser(stage, help=text, description=text)
        one.add_argument("--as-of", type=date.fromisoformat, required=stage not in UNDATED)
        if stage == "explain_bundle":
            one.add_argument("--customer", required=True, help="for whom")
            one.add_argument("--products", required=True, nargs="+", metavar="PRODUCT", help="together")
        if stage == "replay_quarantine":
            one.add_argument("--mended", type=Path, help="CSV of quarantine_id and the columns that change")
        one.add_argument("--started-by", default="cli", help="who started the run; a retry passes the same")
        for name, field in RunParams.__dataclass_fields__.items():
            rule = DECLARATION[name]
            kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
            one.add_argument(f"--{name.replace('_', '-')}", type=_reader(kinds), default=field.default,
                             help=_help(rule).replace("%", "%%"))  # fmt: skip
    add_arguments(stages.add_parser("evaluate", help=HELP, description=HELP))
    incident = stages.add_parser("note_incident", help=INCIDENT, description=INCIDENT)
    incident.add_argument("--kind", required=True, choices=("task_failed", "run_late"))
    incident.add_argument("--subject", required=True, help="the task or run")
    incident.add_argument("--detail", required=True, help="what is known of it")
    incident.add_argument("--as-of", type=date.fromisoformat)
    incident.add_argument("--started-by", default="cli", help="the run")
    erasure = stages.add_parser("request_erasure", help=ERASURE, description=ERASURE)
    erasure.add_argument("--customer", required=True, help="who, as the shop names them")
    erasure.add_argument("--started-by", default="cli", help="who writes it down")
    return top


def _help(rule: dict[str, Any]) -> str:
    text: str = rule["description"]
    return f'{text} As JSON: ["a", "b"]' if rule["type"] == "array" else text


def _reader(kinds: list[str]) -> Any:
    def read(text: str) -> object:
        if "null" in kinds and text in ("", "None"):
            return None
        if "array" in kinds:
            return _texts(text)
        if "boolean" in kinds:
            if text.lower() not in ("true", "false"):
                raise argparse.ArgumentTypeError(f"true or false, not {text!r}")
            return text.lower() == "true"
        return int(text) if "integer" in kinds else float(text) if "number" in kinds else text

    return read


def _texts(text: str) -> tuple[str, ...]:
    """Return a JSON array of texts; numbers are refused, since 007 and 7 are two products."""
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise argparse.ArgumentTypeError(f'a JSON array of texts such as ["a", "b"], not {text!r}')
    return tuple(entries)


def _peak_mb() -> int:
    """Return the peak resident memory of this process or its largest child, in MB."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(peak / (1024 if sys.platform != "darwin" else 1024**2))


def _run_stage(options: argparse.Namespace) -> Counts:
    params = RunParams(**{name: getattr(options, name) for name in RunParams.__dataclass_fields__})
    from ml.settings import Settings

    as_of = options.as_of or date.max
    asked = Question(options.customer, tuple(options.products)) if options.stage == "explain_bundle" else None
    stage = importlib.import_module(f"ml.stages.{options.stage}")
    context = Context(as_of, options.started_by, params, asked, getattr(options, "mended", None))
    counts: Counts = stage.run(Settings(), context)
    return counts


def _evaluate(options: argparse.Namespace) -> Counts:
    from dataclasses import fields

    from ml.settings import Settings
    from ml.trials.run import Trial, run

    return run(Trial(**{field.name: getattr(options, field.name) for field in fields(Trial)}), Settings())


def _note_incident(options: argparse.Namespace) -> Counts:
    from ml.alerts import note
    from ml.settings import Settings

    asked = (options.kind, options.subject, options.detail, options.as_of, options.started_by)
    return {"incident_id": note(Settings(), *asked)}


def _request_erasure(options: argparse.Namespace) -> Counts:
    from ml.publishing.erasures import request_erasure
    from ml.settings import Settings

    return {"rows_removed": request_erasure(Settings(), options.customer, options.started_by)}


OTHERS = {"evaluate": _evaluate, "note_incident": _note_incident, "request_erasure": _request_erasure}
"""What is no stage: it takes other arguments."""


def main(arguments: list[str] | None = None) -> int:
    """Run one stage and return its exit code: 0 done, 65 wrong data, 75 try again, 99 nothing to do."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    started = time.perf_counter()
    try:
        counts = OTHERS.get(options.stage, _run_stage)(options)
    except ShopError as error:
        log.error("%s: %s: %s", options.stage, type(error).__name__, error)
        return error.exit_code
    except MemoryError as error:
        # Another process may have had it; the tables are read whole, so a shop that grew needs more.
        log.error(
            "%s: out_of_memory: %s, at a peak of %s MB", options.stage, str(error) or "no more to be had", _peak_mb()
        )
        return TemporaryError.exit_code
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        log.error("%s: disk_full: %s", options.stage, error)
        return TemporaryError.exit_code
    facts = {**counts, "seconds": round(time.perf_counter() - started, 2), "peak_mb": _peak_mb()}
    log.info("%s done: %s", options.stage, " ".join(f"{name}={value}" for name, value in facts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
