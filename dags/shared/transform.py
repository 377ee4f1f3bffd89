"""The dbt project as tasks: one dbt process does the work, one task a model watches it."""

import os
import subprocess
import sys
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
from cosmos.operators._watcher.base import BaseConsumerSensor

from shared.dbt_build import DbtBuild, only_watch
from shared.forms import REPOSITORY
from shared.stages import LONGEST, POOL, WATCHERS

PROJECT = Path(os.environ.get("BUNDLES_DBT__PROJECT_DIR", REPOSITORY / "dbt_project"))
TARGET = Path(os.environ.get("BUNDLES_DBT__TARGET_DIR", PROJECT / "target"))


def manifest(target: Path = TARGET) -> Path:
    """Return dbt's description of the project; the stack writes it at its start, and where it is missing, this does.

    Raises
    ------
    CalledProcessError
        When the project does not parse.
    """
    path = target / "manifest.json"
    if not path.exists():
        parse = [sys.executable, "-m", "dbt.cli.main", "parse", "--quiet", "--project-dir", str(PROJECT)]
        folders = ["--profiles-dir", str(PROJECT), "--target-path", str(target), "--log-path", str(target)]
        subprocess.run(parse + folders, check=True)
    return path


def dbt_models() -> TaskGroup:
    """Return the group that builds and tests all models for the run's as-of date.

    The as-of date travels as environment, because a changed ``--vars`` makes dbt parse the whole project again.
    """
    group = DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(
            PROJECT,
            manifest_path=manifest(),
            env_vars={"BUNDLES_AS_OF": "{{ as_of() }}"},
            install_dbt_deps=False,
        ),
        profile_config=ProfileConfig(
            profile_name="bundles", target_name="warehouse", profiles_yml_filepath=PROJECT / "profiles.yml"
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.DBT_RUNNER,
            # Only the task that runs dbt loads Postgres; those that watch it may not hold the slot it waits for.
            # Killed, it is tried again; whatever else befalls it, ``DbtBuild`` ends it for good.
            setup_operator_args={"pool": POOL, "retries": 2},
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            exclude=["tag:audit"],
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
        ),
        operator_args={
            "append_env": True,
            "pool": WATCHERS,
            "poke_interval": 1,
            # A slot is cheaper than the second process that waking from deferral costs.
            "deferrable": False,
            # What they hear of a model is final.
            "retries": 0,
            "execution_timeout": LONGEST,
        },
    )
    build = group.children["dbt.dbt_producer_watcher"]
    for task in group.children.values():
        if isinstance(task, BaseConsumerSensor):
            only_watch(task)
    # Cosmos has no place to name another class for it.
    build.__class__ = DbtBuild
    # Tests get no tasks of their own, which would double their number; the one build still runs each between
    # a model and its children.
    build.dbt_cmd_flags += ["--resource-type", "test"]
    return group
