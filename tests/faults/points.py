"""The named moments at which a stage is killed, most where something is half done, and the stages without one."""

from tests.faults.children import Fault

REPLACE, CALL = "ml.warehouse:Warehouse.replace_run", "ml.warehouse:Warehouse.call_each"
INGEST, BULK_COMMIT = "adbc_driver_manager.dbapi:Cursor.adbc_ingest", "adbc_driver_manager.dbapi:Connection.commit"
REGISTER, JUDGE = "ml.tracking.registry:Tracking.register", "ml.tracking.registry:Tracking.judge"
STORE, ALIAS = "mlflow:MlflowClient.log_artifacts", "mlflow:MlflowClient.set_registered_model_alias"

POINTS = (
    Fault("while rows of a delivery stream in", "load_raw", "copy", nth=2),
    Fault("staged, not compared yet", "load_raw", "ml.landing:Landing._stage", "after", 2),
    Fault("manifest row written, rows not", "load_raw", "ml.landing:note_delivery", "after", 3),
    Fault("rows written, not committed", "load_raw", "ml.landing:Landing._write", "after", 4),
    Fault("between two deliveries", "load_raw", "ml.warehouse:Warehouse.land", "after", 5),
    Fault("features half built", "build_features", "dbt line", nth=2, containing="OK created sql incremental"),
    Fault("freshness checked, nothing built", "build_features", "ml.stages.build_features:build"),
    Fault("files stored, no version made", "train_association", STORE, "after", containing="model"),
    Fault("version made, not judged", "train_association", REGISTER, "after"),
    Fault("nothing registered", "train_preference", REGISTER),
    Fault("judged, alias not moved", "train_preference", ALIAS),
    Fault("alias moved, not recorded", "train_preference", JUDGE, "after"),
    Fault("run opened, nothing written", "propose_candidates", "ml.stages.propose_candidates:open_run", "after"),
    Fault("rows deleted, not written", "propose_candidates", INGEST, nth=2),
    Fault("candidates written, rest not", "propose_candidates", REPLACE, "after"),
    Fault("run opened, nothing written", "optimise_bundles", "ml.stages.optimise_bundles:open_run", "after"),
    Fault("rows written, not committed", "optimise_bundles", BULK_COMMIT, nth=2),
    Fault("bundles written, items not", "optimise_bundles", REPLACE, "after", containing="bundles"),
    # The first note is of the libraries, when the run is opened.
    Fault("all written, not counted", "optimise_bundles", CALL, nth=2, containing="ops.note_run"),
    Fault("one list written, rest not", "list_bundles", REPLACE, "after"),
    Fault("checked, nothing recorded", "audit_bundles", "ml.stages.audit_bundles:record"),
    Fault("all checks sent, not committed", "audit_bundles", "commit", containing='"ops"."record_audit"'),
    Fault("statistics made, pointer not moved", "publish_bundles", CALL, "after", containing="ops.analyze_run"),
    Fault("offers kept, not committed", "publish_bundles", "commit", containing='"ops"."prepare_offers"'),
    Fault("pointer not moved", "publish_bundles", CALL, containing="ops.publish"),
    Fault("pointer moved, not committed", "publish_bundles", "commit", containing='"ops"."publish"'),
    Fault("pointer moved", "publish_bundles", CALL, "after", containing="ops.publish"),
    Fault("old runs dropped, not committed", "publish_bundles", "commit", containing='"ops"."drop_old_runs"'),
    Fault("old runs dropped", "publish_bundles", CALL, "after", containing="ops.drop_old_runs"),
    Fault("run opened, nothing written", "measure_drift", "ml.stages.measure_drift:open_run", "after"),
    Fault("rows deleted, not written", "measure_drift", INGEST),
)
LONG_ONLY = {
    # A build of dbt and a training take most of the time of all points.
    ("build_features", "features half built"),
    ("train_association", "files stored, no version made"),
    ("train_preference", "nothing registered"),
    ("audit_bundles", "checked, nothing recorded"),
    ("train_preference", "judged, alias not moved"),
    # Others of the same kind are tried.
    ("load_raw", "staged, not compared yet"),
    ("propose_candidates", "candidates written, rest not"),
    ("optimise_bundles", "run opened, nothing written"),
    ("optimise_bundles", "all written, not counted"),
    ("measure_drift", "run opened, nothing written"),
}
"""Points that are left out of the short form."""
AS_OPTIMISING = "it opens a run and replaces its rows, as optimise_bundles does"
AS_MEASURING = "it opens a run and replaces its rows, as measure_drift does"
UNTRIED = {
    "check_freshness": "it makes a view and adds incidents",
    "check_invariants": "it adds incidents, and drops old runs as publish_bundles does",
    "report": "it writes nothing",
    "explain_bundle": "it writes nothing",
    "replay_quarantine": "it lands in one transaction a table, as load_raw does",
    "rollback_bundles": "it calls one function, as publish_bundles does",
    "audit_scenario": "it records checks in one transaction, as audit_bundles does",
    **dict.fromkeys(
        ("plan_cross_category", "plan_bundle_sale", "plan_replenishment", "plan_launch", "plan_customer_care"),
        AS_OPTIMISING,
    ),
    **dict.fromkeys(
        ("evaluate_policies", "evaluate_scenario", "measure_experiment", "measure_off_policy", "report_measurements"),
        AS_MEASURING,
    ),
}
"""Stages that no point kills, and why the others stand for them."""
