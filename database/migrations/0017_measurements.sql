-- migrate:up
-- What was measured: experiments, policies valued before their launch, and drift of what the models read and say.

create table ml.experiment_readouts (
    run_id bigint not null,
    measure text not null check (measure in ('revenue', 'margin')),
    arm text not null,
    control text not null,
    customers integer not null check (customers >= 0),
    control_customers integer not null check (control_customers >= 0),
    crossed_customers integer not null check (crossed_customers >= 0),
    planned_share double precision not null,
    sample_ratio_p double precision not null check (sample_ratio_p between 0 and 1),
    exposed_from date not null,
    exposed_to date not null,
    mean_cents double precision,
    control_mean_cents double precision,
    difference_cents double precision,
    difference_low_cents double precision,
    difference_high_cents double precision,
    uplift_share double precision,
    uplift_low_share double precision,
    uplift_high_share double precision,
    adjusted_difference_cents double precision,
    adjusted_difference_low_cents double precision,
    adjusted_difference_high_cents double precision,
    adjusted_uplift_share double precision,
    adjusted_uplift_low_share double precision,
    adjusted_uplift_high_share double precision,
    explained_share double precision check (explained_share between 0 and 1),
    refusal_reason text,
    check ((refusal_reason is null) = (difference_cents is not null)),
    primary key (run_id, measure, arm)
) partition by list (run_id);
comment on table ml.experiment_readouts is 'One row a measure and arm of the experiment: what a customer of the arm brought over one of the control arm, raw and adjusted by what they brought before. Where the read-out is refused, its reason and no value.';
comment on column ml.experiment_readouts.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.experiment_readouts.measure is 'What is counted per customer from the day of the customer''s own first exposure on: revenue, what was paid; or margin, what was paid less cost.';
comment on column ml.experiment_readouts.arm is 'Arm of the experiment: a variant of raw.bundle_feedback.';
comment on column ml.experiment_readouts.control is 'The arm it is compared with.';
comment on column ml.experiment_readouts.customers is 'Customers of the arm.';
comment on column ml.experiment_readouts.control_customers is 'Customers of the control arm.';
comment on column ml.experiment_readouts.crossed_customers is 'Customers who were shown more than one arm, and are in none.';
comment on column ml.experiment_readouts.planned_share is 'Share of the customers that was planned for the arm.';
comment on column ml.experiment_readouts.sample_ratio_p is 'Probability that chance splits the customers at least as far from the plan; under 0.001 the read-out is refused.';
comment on column ml.experiment_readouts.exposed_from is 'Day of the first exposure of all.';
comment on column ml.experiment_readouts.exposed_to is 'Day of the last first exposure.';
comment on column ml.experiment_readouts.mean_cents is 'Mean per customer of the arm, in cents.';
comment on column ml.experiment_readouts.control_mean_cents is 'Mean per customer of the control arm, in cents.';
comment on column ml.experiment_readouts.difference_cents is 'mean - control mean, in cents.';
comment on column ml.experiment_readouts.difference_low_cents is 'Lower end of its 95 % interval, in cents.';
comment on column ml.experiment_readouts.difference_high_cents is 'Upper end, in cents.';
comment on column ml.experiment_readouts.uplift_share is 'The difference as a share of the control mean; null where that cannot be told from 0.';
comment on column ml.experiment_readouts.uplift_low_share is 'Lower end of its 95 % interval.';
comment on column ml.experiment_readouts.uplift_high_share is 'Upper end.';
comment on column ml.experiment_readouts.adjusted_difference_cents is 'The difference once what the customers brought before is taken into account (CUPED), in cents.';
comment on column ml.experiment_readouts.adjusted_difference_low_cents is 'Lower end of its 95 % interval, in cents.';
comment on column ml.experiment_readouts.adjusted_difference_high_cents is 'Upper end, in cents.';
comment on column ml.experiment_readouts.adjusted_uplift_share is 'The adjusted difference as a share of the adjusted control mean.';
comment on column ml.experiment_readouts.adjusted_uplift_low_share is 'Lower end of its 95 % interval.';
comment on column ml.experiment_readouts.adjusted_uplift_high_share is 'Upper end.';
comment on column ml.experiment_readouts.explained_share is 'Share of the variance within arms that what was brought before explains; the adjusted variance is 1 minus it.';
comment on column ml.experiment_readouts.refusal_reason is 'Why there is no value, in words; null where there is one.';

create table ml.off_policy_values (
    run_id bigint not null,
    target text not null check (target in ('uniform', 'best_ranked')),
    reward text not null check (reward in ('click', 'add')),
    estimator text not null check (estimator in ('ips', 'snips', 'doubly_robust')),
    logged_policies text[] not null,
    log_from date not null,
    log_to date not null,
    impressions integer not null check (impressions >= 0),
    left_out_impressions integer not null check (left_out_impressions >= 0),
    customers integer not null check (customers >= 0),
    observed double precision not null,
    effective_impressions double precision not null,
    mean_weight double precision not null,
    max_weight double precision not null,
    max_weight_share double precision not null,
    unseen_share double precision not null,
    value double precision,
    low double precision,
    high double precision,
    refusal_reason text,
    check ((refusal_reason is null) = (value is not null)),
    primary key (run_id, target, reward, estimator)
) partition by list (run_id);
comment on table ml.off_policy_values is 'One row a target policy, reward and estimator: what the policy would earn per impression, told from the log of another one. Where the log says too little, the reason and no value.';
comment on column ml.off_policy_values.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.off_policy_values.target is 'Policy in question: uniform, each of the shop''s bundles as often; best_ranked, each customer the bundle that a run of personal bundles ranked first before these impressions.';
comment on column ml.off_policy_values.reward is 'What is counted per impression: click or add, by the same customer on the same day. Not purchases: the ranks were learnt from them.';
comment on column ml.off_policy_values.estimator is 'ips: inverse propensity; snips: the same, self-normalised; doubly_robust: with a model of rewards.';
comment on column ml.off_policy_values.logged_policies is 'Policies whose impressions the log holds.';
comment on column ml.off_policy_values.log_from is 'First day of the log.';
comment on column ml.off_policy_values.log_to is 'Last day of the log.';
comment on column ml.off_policy_values.impressions is 'Impressions used.';
comment on column ml.off_policy_values.left_out_impressions is 'Impressions without a propensity, to customers for whom the target policy has no bundle, or of days that its ranks had read.';
comment on column ml.off_policy_values.customers is 'Customers of the impressions used.';
comment on column ml.off_policy_values.observed is 'Mean reward per impression in the log, which is what the logging policy earns.';
comment on column ml.off_policy_values.effective_impressions is 'Kish''s effective number of the weights: as many impressions by the target policy itself would tell as much.';
comment on column ml.off_policy_values.mean_weight is 'Mean of target probability over logged propensity; 1 where the propensities are right.';
comment on column ml.off_policy_values.max_weight is 'Largest of these weights.';
comment on column ml.off_policy_values.max_weight_share is 'Share of all weight that one customer carries.';
comment on column ml.off_policy_values.unseen_share is 'Share of the target policy''s impressions that would show a bundle which the log never shows.';
comment on column ml.off_policy_values.value is 'Mean reward per impression under the target policy.';
comment on column ml.off_policy_values.low is 'Lower end of its 95 % interval, clustered by customer.';
comment on column ml.off_policy_values.high is 'Upper end.';
comment on column ml.off_policy_values.refusal_reason is 'Why there is no value, in words; null where there is one.';

create table ml.drift_checks (
    run_id bigint not null,
    kind text not null check (kind in ('feature', 'score', 'freshness')),
    subject text not null,
    measure text not null check (measure in ('psi', 'age_days')),
    value double precision,
    limit_value double precision not null,
    check_p_value double precision check (check_p_value between 0 and 1),
    reference_rows integer not null check (reference_rows >= 0),
    now_rows integer not null check (now_rows >= 0),
    reference_from date,
    reference_to date,
    now_from date,
    now_to date,
    verdict text not null check (verdict in ('steady', 'drifted', 'not_judged')),
    reason text not null,
    check ((verdict = 'not_judged') = (value is null)),
    primary key (run_id, kind, subject)
) partition by list (run_id);
comment on table ml.drift_checks is 'One row a check: whether what the models read looks as when they were trained, what they say as in an earlier run, and whether the data are fresh.';
comment on column ml.drift_checks.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.drift_checks.kind is 'feature: a number that the models read; score: what the preference model says; freshness: age of a table.';
comment on column ml.drift_checks.subject is 'Name of the number or table.';
comment on column ml.drift_checks.measure is 'psi: population stability index over bins of the reference, missing values one of them; age_days: days since the newest row.';
comment on column ml.drift_checks.value is 'The measure; null where it is not judged.';
comment on column ml.drift_checks.limit_value is 'Limit above which the verdict is drifted.';
comment on column ml.drift_checks.check_p_value is 'Probability that chance makes so large a difference (Kolmogorov-Smirnov); under 0.001 it is believed. Null for freshness.';
comment on column ml.drift_checks.reference_rows is 'Values of the reference.';
comment on column ml.drift_checks.now_rows is 'Values now; for freshness rows of the table.';
comment on column ml.drift_checks.reference_from is 'First day of the reference.';
comment on column ml.drift_checks.reference_to is 'Last day of the reference: data cut-off of the champion, or day of the earlier run for a score.';
comment on column ml.drift_checks.now_from is 'First day that is compared with it.';
comment on column ml.drift_checks.now_to is 'Last day that is compared with it.';
comment on column ml.drift_checks.verdict is 'steady, drifted (for freshness: too old) or not_judged.';
comment on column ml.drift_checks.reason is 'What was found, in words.';

grant select, insert, delete on ml.experiment_readouts, ml.off_policy_values, ml.drift_checks to bundles_ml;
grant select on ml.experiment_readouts, ml.off_policy_values, ml.drift_checks to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.drift_checks, ml.off_policy_values, ml.experiment_readouts;
