"""The dbt project keeps its own rules: described, tested, named after its folder, one YAML beside each model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ml.settings import Settings
from ml.sources.contract import TABLES

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
MODELS = sorted((PROJECT / "models").rglob("*.sql"))
PREFIXES = {
    "staging": "stg_raw__",
    "intermediate": "int_",
    "daily": "int_",
    "features": "ftr_",
    "live": "ftr_",
    "marts": ("fct_", "dim_"),
}
WHO = "BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    target = tmp_path_factory.mktemp("parsed")
    line = [
        sys.executable,
        "-m",
        "dbt.cli.main",
        "parse",
        "--quiet",
        "--target-path",
        str(target),
        "--log-path",
        str(target),
    ]
    subprocess.run(line, cwd=PROJECT, env={**os.environ, WHO: "none"}, check=True)
    parsed: dict[str, Any] = json.loads((target / "manifest.json").read_text("utf-8"))
    return parsed


def test_every_model_source_seed_and_column_is_described(manifest: dict[str, Any]) -> None:
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "seed")]
    everything = [*nodes, *manifest["sources"].values()]
    assert len(everything) > 50
    missing = [node["name"] for node in everything if not node["description"].strip() or not node["columns"]]
    missing += [
        f"{node['name']}.{name}"
        for node in everything
        for name, column in node["columns"].items()
        if not column["description"].strip()
    ]
    assert not missing, f"without description: {missing}"


def test_every_result_view_has_its_readers_named(manifest: dict[str, Any]) -> None:
    read = {name for exposure in manifest["exposures"].values() for name in exposure["depends_on"]["nodes"]}
    views = {
        name for name, node in manifest["nodes"].items() if node["fqn"][1:2] == ["marts"] and name.startswith("model.")
    }
    assert len(views) > 20
    assert views <= read, f"in no exposure: {sorted(views - read)}"


def test_what_keeps_days_is_built_before_the_days_that_nobody_reads_are_cleared_away(manifest: dict[str, Any]) -> None:
    """The last model deletes from every table of days, so each of them must be there."""
    before, ahead = set(), ["model.bundles.ftr_builds"]
    while ahead:
        name = ahead.pop()
        if name not in before:
            before.add(name)
            ahead += manifest["parent_map"].get(name, [])
    kept = {name for name, node in manifest["nodes"].items() if node["config"]["materialized"] == "incremental"}
    assert len(kept) > 15
    assert kept <= before, f"not before ftr_builds: {sorted(kept - before)}"


def test_every_model_has_a_test_of_its_key(manifest: dict[str, Any]) -> None:
    keyed = {
        test["attached_node"].rsplit(".", 1)[-1]
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") in ("unique", "unique_together")
    }
    # The lines have the key of stg_raw__order_items.
    assert {path.stem for path in MODELS} - keyed == {"int_order_lines_joined"}


def test_models_are_worked_out_by_hand_in_unit_tests(manifest: dict[str, Any]) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    counting = {path.stem for path in MODELS if path.parent.name in ("daily", "features")}
    assert not counting - tested, f"without unit test: {sorted(counting - tested)}"
    assert len(manifest["unit_tests"]) >= 14


def test_features_are_contracts_that_refuse_nan_and_infinity(manifest: dict[str, Any]) -> None:
    features = [
        node for node in manifest["nodes"].values() if node["resource_type"] == "model" and "features" in node["fqn"]
    ]
    assert len(features) == 14
    for node in features:
        assert node["contract"]["enforced"], node["name"]
        for name, column in node["columns"].items():
            if column["data_type"] == "double precision":
                checks = [rule["expression"] for rule in column["constraints"] if rule["type"] == "check"]
                bounded = any("<" in check.split(" and ")[-1] for check in checks)
                assert bounded, f"{node['name']}.{name}: nothing above it, so NaN would pass"


def test_every_model_is_a_contract_and_no_table_grows_unseen(manifest: dict[str, Any]) -> None:
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    assert len(models) == len(MODELS) > 70
    untyped = [
        f"{name}.{column}"
        for name, node in models.items()
        for column, facts in node["columns"].items()
        if not facts["data_type"]
    ]
    assert not [name for name, node in models.items() if not node["contract"]["enforced"]] + untyped
    tables = {name: node["config"] for name, node in models.items() if node["config"]["materialized"] == "incremental"}
    assert len(tables) > 20
    assert {config["on_schema_change"] for config in tables.values()} == {"fail"}
    views = {node["config"]["materialized"] for name, node in models.items() if name not in tables}
    assert views == {"replaced_view"}, "which asks for the contract; another way to make a view might not"


def test_what_replaces_a_day_looks_at_its_key_in_the_same_transaction(manifest: dict[str, Any]) -> None:
    """One row a day is all that ftr_builds makes; the others are held to the key that their test states."""
    keyed = {
        test["attached_node"]
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test" and (test.get("test_metadata") or {}).get("name") == "unique_together"
    }
    for name, node in manifest["nodes"].items():
        if node["config"]["materialized"] == "incremental" and node["name"] != "ftr_builds":
            hooks = [(hook["sql"], hook["transaction"]) for hook in node["config"]["post-hook"]]
            assert ("{{ refuse_bad_keys() }}", True) in hooks and name in keyed, name


def test_the_columns_of_the_raw_tables_are_stated_with_their_types(manifest: dict[str, Any]) -> None:
    """They are compared with those of the database before each build."""
    raw = [source for source in manifest["sources"].values() if source["source_name"] == "raw"]
    assert {source["name"] for source in raw} == set(TABLES)
    for source in raw:
        assert set(source["columns"]) == {*TABLES[source["name"]].columns, "load_id"}
        assert all(column["data_type"] for column in source["columns"].values()), source["name"]


def test_a_day_is_complete_after_every_feature_of_it(manifest: dict[str, Any]) -> None:
    features = {path.stem for path in MODELS if path.parent.name == "features"}
    before = manifest["nodes"]["model.bundles.ftr_builds"]["depends_on"]["nodes"]
    assert features - {"ftr_builds"} <= {node.rsplit(".", 1)[-1] for node in before}


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_is_named_after_its_folder_and_tells_its_story(model: Path) -> None:
    assert model.stem.startswith(PREFIXES[model.parent.name])
    assert model.with_suffix(".yml").exists(), "one YAML beside each model"
    text = model.read_text("utf-8").strip()
    assert text.startswith("-- One row per "), "the first line says what a row is"
    last = text.splitlines()[-1].removeprefix("select * from ")
    assert f"{last} as (" in text, "the last line selects everything from the last step"


def test_views_hold_for_any_day_because_builds_of_two_days_share_them() -> None:
    for model in MODELS:
        if model.parent.name in ("staging", "intermediate", "marts"):
            assert "as_of()" not in model.read_text("utf-8"), f"{model.stem} is a view that depends on the day"


def test_audit_tests_exist_only_while_a_run_is_audited(manifest: dict[str, Any]) -> None:
    assert not [node for node in manifest["nodes"] if ".audit_" in node]
    assert len(manifest["disabled"]) >= len(list((PROJECT / "tests" / "audit").rglob("*.sql"))) >= 15


@pytest.mark.slow
def test_unit_tests_pass_and_the_documentation_is_made(
    shop: Settings, warehouse_env: dict[str, str], tmp_path: Path
) -> None:
    environment = {**warehouse_env, "BUNDLES_AS_OF": "2024-03-31"}
    folders = ["--target-path", str(tmp_path), "--log-path", str(tmp_path)]
    nothing_tested = ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    for words in (["build", *nothing_tested], ["test", "--select", "test_type:unit"], ["docs", "generate"]):
        line = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *words, *folders]
        done = subprocess.run(line, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
    catalog = json.loads((tmp_path / "catalog.json").read_text("utf-8"))
    assert "model.bundles.fct_bundles" in catalog["nodes"]
    assert not catalog["errors"]
