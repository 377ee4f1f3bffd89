"""An Airflow of its own for the DAG tests: a home in a temporary folder, no scheduler, no examples."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="bundles-dags-"))

# Airflow reads its configuration while it is imported, so this stands before any fixture.
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": str(HOME / "cosmos"),
        "BUNDLES_DBT__TARGET_DIR": str(HOME / "target"),
    }
)
sys.path.append(str(ROOT / "dags"))


@pytest.fixture(scope="session")
def manifest() -> Path:
    """Return the manifest of the dbt project, made as the stack makes it."""
    dbt = [str(Path(sys.executable).with_name("dbt")), "parse", "--quiet"]
    folders = ["--project-dir", "dbt_project", "--profiles-dir", "dbt_project"]
    outputs = ["--target-path", str(HOME / "target"), "--log-path", str(HOME / "logs")]
    environment = {**os.environ, "BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD": "unused"}
    subprocess.run(dbt + folders + outputs, cwd=ROOT, env=environment, check=True)
    return HOME / "target" / "manifest.json"
