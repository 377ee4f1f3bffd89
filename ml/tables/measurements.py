"""The result tables of what was measured: experiments, policies valued before their launch, drift."""

from ml.tables.contract import DAY, INT, REAL, TEXT, TEXTS, of_results

EXPERIMENT_READOUTS = of_results(
    "experiment_readouts",
    ("measure", "arm"),
    {
        **dict.fromkeys(("measure", "arm", "control"), TEXT),
        **dict.fromkeys(("customers", "control_customers", "crossed_customers"), INT),
        **dict.fromkeys(("planned_share", "sample_ratio_p"), REAL),
        **dict.fromkeys(("exposed_from", "exposed_to"), DAY),
        **dict.fromkeys(
            (
                "mean_cents",
                "control_mean_cents",
                "difference_cents",
                "difference_low_cents",
                "difference_high_cents",
                "uplift_share",
                "uplift_low_share",
                "uplift_high_share",
                "adjusted_difference_cents",
                "adjusted_difference_low_cents",
                "adjusted_difference_high_cents",
                "adjusted_uplift_share",
                "adjusted_uplift_low_share",
                "adjusted_uplift_high_share",
                "explained_share",
            ),
            REAL,
        ),
        "refusal_reason": TEXT,
    },
    "mean_cents control_mean_cents difference_cents difference_low_cents difference_high_cents "
    "uplift_share uplift_low_share uplift_high_share adjusted_difference_cents "
    "adjusted_difference_low_cents adjusted_difference_high_cents adjusted_uplift_share "
    "adjusted_uplift_low_share adjusted_uplift_high_share explained_share refusal_reason",
)
OFF_POLICY_VALUES = of_results(
    "off_policy_values",
    ("target", "reward", "estimator"),
    {
        **dict.fromkeys(("target", "reward", "estimator"), TEXT),
        "logged_policies": TEXTS,
        **dict.fromkeys(("log_from", "log_to"), DAY),
        **dict.fromkeys(("impressions", "left_out_impressions", "customers"), INT),
        **dict.fromkeys(
            (
                "observed",
                "effective_impressions",
                "mean_weight",
                "max_weight",
                "max_weight_share",
                "unseen_share",
                "value",
                "low",
                "high",
            ),
            REAL,
        ),
        "refusal_reason": TEXT,
    },
    "value low high refusal_reason",
)
DRIFT_CHECKS = of_results(
    "drift_checks",
    ("kind", "subject"),
    {
        **dict.fromkeys(("kind", "subject", "measure"), TEXT),
        **dict.fromkeys(("value", "limit_value", "check_p_value"), REAL),
        **dict.fromkeys(("reference_rows", "now_rows"), INT),
        **dict.fromkeys(("reference_from", "reference_to", "now_from", "now_to"), DAY),
        **dict.fromkeys(("verdict", "reason"), TEXT),
    },
    "value check_p_value reference_from reference_to now_from now_to",
)
