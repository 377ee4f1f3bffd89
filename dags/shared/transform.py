"""The dbt project as tasks: one dbt process does the work, one task a model watches it."""

import os
from pathlib import Path

import airflow  # noqa: F401 - before cosmos, whose imports are circular otherwise
from airflow.sdk import TaskGroup
from cosmos import (
    DbtTaskGroup,
    ExecutionConfig,
    ExecutionMode,
    InvocationMode,
    LoadMode,
    ProfileConfig,
    ProjectConfig,
    RenderConfig,
    TestBehavior,
)

from shared.forms import REPOSITORY

PROJECT = Path(os.environ.get("BUNDLES_DBT__PROJECT_DIR", REPOSITORY / "dbt_project"))
MANIFEST = Path(os.environ.get("BUNDLES_DBT__TARGET_DIR", PROJECT / "target")) / "manifest.json"


def dbt_models() -> TaskGroup:
    """Return the group that builds and tests all models for the run's as-of date.

    The graph is read from the manifest that ``dbt parse`` wrote when the stack started; where there is none yet,
    Cosmos asks ``dbt ls``, which is slow but never leaves the DAG broken. The as-of date travels as environment,
    because a changed ``--vars`` makes dbt parse the whole project again.
    """
    group = DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(
            PROJECT, manifest_path=MANIFEST if MANIFEST.exists() else None, install_dbt_deps=False
        ),
        profile_config=ProfileConfig(
            profile_name="bundles", target_name="warehouse", profiles_yml_filepath=PROJECT / "profiles.yml"
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER, invocation_mode=InvocationMode.DBT_RUNNER
        ),
        render_config=RenderConfig(
            load_method=LoadMode.AUTOMATIC,
            exclude=["tag:audit"],
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
            dbt_deps=False,
        ),
        operator_args={
            "install_deps": False,
            "append_env": True,
            "env": {"BUNDLES_AS_OF": "{{ as_of() }}"},
            "poke_interval": 1,
            # A slot is cheaper than the second process that waking from deferral costs.
            "deferrable": False,
            # The data decide a dbt failure, so trying again would not help.
            "retries": 0,
        },
    )
    # Tests get no tasks of their own, which would double their number; the one build still runs each between
    # a model and its children.
    group.children["dbt.dbt_producer_watcher"].dbt_cmd_flags += ["--resource-type", "test"]
    return group
