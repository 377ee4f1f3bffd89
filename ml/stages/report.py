"""Print what is published: the run, ten of its bundles, how the policies compare, and a line for each scenario.

Read with an analyst's rights.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from ml.errors import DataError
from ml.params import Context, Counts
from ml.settings import Settings
from ml.warehouse import Warehouse

SHOWN_BUNDLES = 10
SHOWN_NUMBERS = 3
"""Numbers of a scenario that its line quotes, as many as there are."""
PERSONAL = "personal"
MARTS = {
    PERSONAL: "fct_bundles",
    "cross_category": "fct_promotions",
    "bundle_sale": "fct_bundle_prices",
    "replenishment": "fct_replenishment",
    "launch": "fct_launches",
    "customer_care": "fct_customer_cards",
}
"""Where each scenario shows its result."""
FILE_WIDTH = 200
"""Characters a line where the output is no terminal, whose width would be known."""


def run(settings: Settings, context: Context) -> Counts:
    """Print the report of the form's scenario.

    Raises
    ------
    DataError
        When nothing is published yet.
    """
    analyst = Warehouse(settings, "analyst")
    published = analyst.read_view("marts.fct_runs", {"scope": context.params.scenario, "is_published": True})
    if published.is_empty():
        raise DataError(f"nothing is published for scenario {context.params.scenario} yet; run the chain first")
    rows = analyst.read_view("marts.fct_bundles")
    offered = rows.filter(pl.col("status") != "abstained")
    metrics = analyst.read_view(
        "marts.fct_policy_metrics", {"is_latest": True}, order_by=["metric", "variant", "policy"]
    )
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    console.print(_run_table(published.to_dicts()[0], offered, rows.height - offered.height))
    console.print(_bundle_table(offered))
    console.print(_policy_table(metrics))
    runs = analyst.read_view("marts.fct_runs", {"scope": list(MARTS), "is_published": True})
    reasons = {PERSONAL: offered["fallback_reason"]}
    for scope in set(runs["scope"]) - {PERSONAL}:
        rows = analyst.read_view(f"marts.{MARTS[scope]}", columns=["unavailable_reason"])
        reasons[scope] = rows["unavailable_reason"]
    judged = analyst.read_view("marts.fct_scenario_metrics", order_by=["scenario", "kpi", "variant"])
    console.print(_scenario_table(scenario_lines(runs, reasons, judged)))
    return {"bundles": offered.height, "metrics": metrics.height, "scenarios": runs.height}


def _run_table(facts: dict[str, object], offered: pl.DataFrame, abstentions: int) -> Table:
    """Say which run people read, what it stands on, and how much of it is proven."""
    proven = offered.filter(pl.col("status") == "optimal").height / max(offered.height, 1)
    table = Table(title="Published run", show_header=False)
    for name in (
        "run_id",
        "scope",
        "as_of",
        "data_through",
        "published_at",
        "started_by",
        "model_versions",
        "git_commit",
    ):
        table.add_row(name, str(facts[name]))
    table.add_row("bundles", f"{offered.height} for {offered['customer_id'].n_unique()} customers")
    table.add_row("abstentions", str(abstentions))
    table.add_row("proven optimal", f"{proven:.1%} of the bundles, over their candidate set")
    return table


def _bundle_table(offered: pl.DataFrame) -> Table:
    """Show the best bundle of ten customers, worthiest first."""
    table = Table(title=f"{SHOWN_BUNDLES} bundles: the best of each of the customers with the highest objective")
    for heading in ("customer", "products", "price", "expected", "certificate", "reason"):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("price", "expected") else "left")
    best = offered.filter(pl.col("bundle_rank") == 1).sort(["objective", "bundle_id"], descending=[True, False])
    for bundle in best.head(SHOWN_BUNDLES).iter_rows(named=True):
        certificate = f"{bundle['status']}: {bundle['objective']:.4f} of at most {bundle['upper_bound']:.4f}"
        table.add_row(
            bundle["customer_id"],
            bundle["products"],
            _money(bundle["bundle_price"]),
            f"{_money(bundle['expected_revenue'])} at {bundle['joint_probability']:.2%}",
            f"{certificate}, {bundle['candidate_set']} ({bundle['candidates']})",
            bundle["reason"],
        )
    return table


def _policy_table(metrics: pl.DataFrame) -> Table:
    """Compare the policies on held-out baskets, with intervals by customer and the paired difference."""
    table = Table(title="Policies on held-out baskets (95 % intervals by customer)")
    for heading in ("metric", "variant", "policy", "value", "difference", "compared with", "customers"):
        table.add_column(heading, overflow="fold")
    for row in metrics.iter_rows(named=True):
        has_peer = row["compared_with"] is not None
        difference = _interval(row["difference"], row["difference_low"], row["difference_high"]) if has_peer else ""
        table.add_row(
            row["metric"],
            row["variant"],
            row["policy"],
            _interval(row["value"], row["low"], row["high"]),
            difference,
            row["compared_with"] or "",
            str(row["customers"]),
        )
    return table


def scenario_lines(
    runs: pl.DataFrame, reasons: Mapping[str, pl.Series], judged: pl.DataFrame
) -> list[tuple[str, str, str, str]]:
    """Return for each scenario its name, its run, what it shows, and the numbers it is judged by, in words.

    Parameters
    ----------
    runs
        Published rows of ``marts.fct_runs``.
    reasons
        By published scenario: of each row of its mart why it is not available, null for a result.
    judged
        Rows of ``marts.fct_scenario_metrics``.
    """
    lines = []
    published = {row["scope"]: row for row in runs.iter_rows(named=True)}
    for scope, mart in MARTS.items():
        if scope not in published:
            lines.append((scope, "not published yet", "", ""))
            continue
        found, missing = reasons[scope].null_count(), sorted(set(reasons[scope].drop_nulls()))
        shown = [] if missing and not found else [f"{mart}: {found} rows"]
        # Numbers beside those of a rule of today come first: alone they say little.
        own = judged.filter(pl.col("scenario") == scope)
        own = own.sort(pl.col("peer").is_null(), pl.col("variant") != "all", maintain_order=True).head(SHOWN_NUMBERS)
        run = f"run {published[scope]['run_id']} of {published[scope]['as_of']}"
        numbers = "; ".join(_judged(row) for row in own.iter_rows(named=True))
        lines.append((scope, run, "; ".join([*shown, *missing]), numbers))
    return lines


def _judged(row: Mapping[str, Any]) -> str:
    interval = f" [{row['low']:.4g}, {row['high']:.4g}]" if row["low"] is not None else ""
    peer = f", {row['peer']} {row['peer_value']:.4g}" if row["peer_value"] is not None else ""
    about = "" if row["variant"] == "all" else f" ({row['variant']})"
    return f"{row['kpi']}{about} {row['value']:.4g} {row['unit']}{interval}{peer}"


def _scenario_table(lines: list[tuple[str, str, str, str]]) -> Table:
    """Show what each scenario has published."""
    table = Table(title="Scenarios")
    for heading in ("scenario", "run", "result", "judged by"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*line)
    return table


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _money(amount: object) -> str:
    return f"{Decimal(str(amount)):.2f}"
