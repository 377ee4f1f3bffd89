"""The read-out of the shop's experiment: from feedback with variants, and what customers paid."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import polars as pl

from ml.errors import ConfigError
from ml.evaluation.experiment import HOLDOUT, Effect, ExperimentParams, Readout, read_out
from ml.params import RunParams

REVENUE, MARGIN = "revenue", "margin"
NO_FEEDBACK = "not available: needs bundle_feedback"
NO_VARIANTS = "not available: needs two arms or more in bundle_feedback.variant, one of them {control}"
RESERVED = f"not available: needs arms of which none is called {HOLDOUT}, the name of those who are shown nothing"

Row = dict[str, object]


def planned_arms(params: RunParams, found: Sequence[str]) -> dict[str, float]:
    """Return the share planned for each arm: those of the form, else equal ones of the variants found.

    Raises
    ------
    ConfigError
        When an entry of the form is not of the form ``arm=share``.
    """
    if not params.experiment_arms:
        return {arm: 1 / len(found) for arm in found}
    arms = {}
    for entry in params.experiment_arms:
        arm, _, share = entry.rpartition("=")
        try:
            arms[arm.strip()] = float(share)
        except ValueError:
            raise ConfigError(f"experiment_arms: got {entry!r}, wanted is such as control=0.5") from None
    return arms


def exposures(feedback: pl.DataFrame) -> pl.DataFrame:
    """Return who was shown which arm, and since when.

    Returns
    -------
    ``customer_id``, ``arm`` (null for those who were shown more than one), ``since`` (day of the first exposure).
    """
    shown = feedback.filter(pl.col("kind") == "impression").drop_nulls("variant")
    crossed = pl.col("variant").n_unique() > 1
    arm = pl.when(crossed).then(None).otherwise(pl.col("variant").first())
    return shown.group_by("customer_id").agg(arm=arm, since=pl.col("occurred_on").min()).sort("customer_id")


def money_around(
    exposed: pl.DataFrame, baskets: pl.DataFrame, products: pl.DataFrame, pre_days: int
) -> tuple[pl.DataFrame, int]:
    """Return what each exposed customer brought before and after the first exposure, whose day counts as after.

    Returns
    -------
    tuple
        ``customer_id``, ``arm`` and for each measure ``_before`` and ``_after``, in cents; and the number of lines sold
        whose product has no known cost, which therefore are in no margin.
    """
    lists = ["product_ids", "quantities", "paid_cents"]
    cost = products.select(product_ids="product_id", cost_cents=pl.col("cost_cents").cast(pl.Int64))
    day, since = pl.col("basket_on"), pl.col("since")
    lines = (
        baskets.join(exposed, on="customer_id", how="inner")
        .filter(day >= since - timedelta(days=pre_days))
        .select("customer_id", *lists, is_after=day >= since)
        .explode(lists)
        .join(cost, on="product_ids", how="left", maintain_order="left")
        .with_columns(margin_cents=pl.col("paid_cents") - pl.col("quantities") * pl.col("cost_cents"))
    )
    sums = [
        pl.col(f"{column}_cents").filter(when).sum().alias(f"{measure}_{name}")
        for measure, column in ((REVENUE, "paid"), (MARGIN, "margin"))
        for name, when in (("before", ~pl.col("is_after")), ("after", pl.col("is_after")))
    ]
    brought = lines.group_by("customer_id").agg(sums)
    joined = exposed.join(brought, on="customer_id", how="left", maintain_order="left")
    return joined.with_columns(pl.exclude("customer_id", "arm", "since").fill_null(0)), lines["cost_cents"].null_count()


def readout_rows(
    feedback: pl.DataFrame, baskets: pl.DataFrame, products: pl.DataFrame, params: RunParams
) -> tuple[list[Row], str | None]:
    """Return the rows of ``ml.experiment_readouts``; or none, and what the shop's data lack.

    Parameters
    ----------
    feedback, baskets, products
        ``features.ftr_feedback``, ``features.ftr_baskets`` and ``features.ftr_products`` of the day.

    Raises
    ------
    ConfigError
        When the planned arms of the form are none.
    """
    if feedback.is_empty():
        return [], NO_FEEDBACK
    exposed = exposures(feedback)
    arms = planned_arms(params, exposed["arm"].drop_nulls().unique().sort().to_list())
    if len(arms) < 2 or params.experiment_control not in arms:
        return [], NO_VARIANTS.format(control=params.experiment_control)
    if HOLDOUT in arms:
        return [], RESERVED
    plan = ExperimentParams("", arms)
    uncrossed = exposed.drop_nulls("arm")
    money, lacking = money_around(uncrossed, baskets, products, params.experiment_pre_days)
    rows: list[Row] = []
    for measure in (REVENUE, MARGIN):
        after, before = (money[f"{measure}_{name}"].to_numpy().astype(float) for name in ("after", "before"))
        found = read_out(after, before, money["arm"].to_list(), params.experiment_control, plan)
        no_cost = f"not available: needs the cost of every product sold, {lacking} lines lack it"
        refusal = found.refusal or (no_cost if measure == MARGIN and lacking else None)
        about = {
            "measure": measure,
            "crossed_customers": exposed["arm"].null_count(),
            "exposed_from": exposed["since"].min(),
            "exposed_to": exposed["since"].max(),
            "refusal_reason": refusal,
        }
        rows += [about | row for row in _rows(found, plan, params.experiment_control, refusal is None)]
    return rows, None


def _rows(found: Readout, plan: ExperimentParams, control: str, is_told: bool) -> Iterator[Row]:
    told = {one.arm: one for one in found.uplifts} if is_told else {}
    for arm in (arm for arm in plan.arms if arm != control):
        row: Row = {
            "arm": arm,
            "control": control,
            "customers": found.customers[arm],
            "control_customers": found.customers[control],
            "planned_share": plan.arms[arm],
            "sample_ratio_p": found.ratio.p_value,
        }
        if arm in told:
            one = told[arm]
            row |= {"mean_cents": one.mean, "control_mean_cents": one.control_mean}
            row |= {
                **_effect(one.raw, ""),
                **_effect(one.adjusted, "adjusted_"),
                "explained_share": one.explained_share,
            }
        yield row


def _effect(effect: Effect, prefix: str) -> Row:
    row: Row = {}
    for name, interval in (("difference{}_cents", effect.difference), ("uplift{}_share", effect.ratio)):
        if interval is not None:
            ends = {"": interval.value, "_low": interval.low, "_high": interval.high}
            row |= {prefix + name.format(end): value for end, value in ends.items()}
    return row
