"""The read-out of the shop's experiment: from feedback with variants, and what customers paid."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from ml.errors import ConfigError
from ml.evaluation.experiment import HOLDOUT, Effect, ExperimentParams, Readout, assign, read_out
from ml.params import RunParams

REVENUE, MARGIN = "revenue", "margin"
NO_FEEDBACK = "not available: needs bundle_feedback"
NO_VARIANTS = "not available: needs two arms or more in bundle_feedback.variant, one of them {control}"
RESERVED = f"not available: needs arms of which none is called {HOLDOUT}, the name of those who are shown nothing"
STRAYED_SHARE = 0.05
"""Of the customers who were shown anything. With more in arms that are not theirs, the shop did not split as asked."""
STRAYED = (
    "of {shown} customers who were shown bundles, {strayed} were shown an arm that experiment_name does not give them"
)

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


def assigned(baskets: pl.DataFrame, since: date, plan: ExperimentParams) -> pl.DataFrame:
    """Return the arm of everybody who had bought before the experiment began, shown anything or not.

    Who is counted must not depend on what the arms did: customers whom an arm never reaches belong to it all the same.

    Returns
    -------
    ``customer_id``, ``arm``, ``since`` (the first day, for all).
    """
    before = baskets.filter(pl.col("basket_on") < since).drop_nulls("customer_id")
    customers = before["customer_id"].unique().sort()
    arms = pl.Series("arm", assign(customers.to_list(), plan), pl.String)
    return pl.DataFrame({"customer_id": customers, "arm": arms}).with_columns(since=pl.lit(since))


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

    Notes
    -----
    With a name in the form everybody it assigns is counted from its first day on (intention to treat), the holdout
    too; without one, those who were shown a variant are counted from the day they were first shown one.
    """
    if feedback.is_empty():
        return [], NO_FEEDBACK
    exposed = exposures(feedback)
    arms = planned_arms(params, exposed["arm"].drop_nulls().unique().sort().to_list())
    if len(arms) < 2 or params.experiment_control not in arms:
        return [], NO_VARIANTS.format(control=params.experiment_control)
    if HOLDOUT in arms:
        return [], RESERVED
    if params.experiment_name is None or params.experiment_starts_on is None:
        plan = ExperimentParams("", arms)
        counted, crossed, strayed = exposed.drop_nulls("arm"), exposed["arm"].null_count(), None
    else:
        since = date.fromisoformat(params.experiment_starts_on)
        plan = ExperimentParams(params.experiment_name, arms, params.experiment_holdout_share)
        counted = assigned(baskets, since, plan)
        exposed = exposures(feedback.filter(pl.col("occurred_on") >= since))
        crossed, strayed = _strayed(exposed, counted)
    if exposed.is_empty():
        return [], NO_FEEDBACK
    money, lacking = money_around(counted, baskets, products, params.experiment_pre_days)
    rows: list[Row] = []
    for measure in (REVENUE, MARGIN):
        after, before = (money[f"{measure}_{name}"].to_numpy().astype(float) for name in ("after", "before"))
        found = read_out(after, before, money["arm"].to_list(), params.experiment_control, plan)
        no_cost = f"not available: needs the cost of every product sold, {lacking} lines lack it"
        refusal = strayed or found.refusal or (no_cost if measure == MARGIN and lacking else None)
        about = {
            "measure": measure,
            "crossed_customers": crossed,
            "exposed_from": exposed["since"].min(),
            "exposed_to": exposed["since"].max(),
            "refusal_reason": refusal,
        }
        rows += [about | row for row in _rows(found, plan, params.experiment_control, refusal is None)]
    return rows, None


def _strayed(exposed: pl.DataFrame, counted: pl.DataFrame) -> tuple[int, str | None]:
    """Return how many were shown an arm that is not theirs, and the reason where that is too many."""
    theirs = counted.select("customer_id", own="arm").join(exposed, on="customer_id", how="inner")
    strayed = theirs.filter(pl.col("arm").ne_missing(pl.col("own"))).height
    told = STRAYED.format(shown=theirs.height, strayed=strayed)
    return strayed, told if strayed > STRAYED_SHARE * theirs.height else None


def _rows(found: Readout, plan: ExperimentParams, control: str, is_told: bool) -> Iterator[Row]:
    told = {one.arm: one for one in found.uplifts} if is_told else {}
    for arm in (arm for arm in plan.shares if arm != control):
        row: Row = {
            "arm": arm,
            "control": control,
            "customers": found.customers[arm],
            "control_customers": found.customers[control],
            "planned_share": plan.shares[arm],
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
