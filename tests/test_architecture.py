"""The import rules of the house, held against the code: arrows go down only, each outside thing has one door."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOOR_1 = {"settings", "tables", "params", "landing", "formats", "versions", "influence", "spread", "datasets"}
PURE = {"preference", "association", "demand", "candidates", "optimizer", "evaluation", "responsible", "reasons"}
DOORS = {"warehouse", "tracking", "sources", "transform"}
FLOOR_3 = {"alerts", "policies", "publishing", "training", "quarantine"}
FLOOR_4 = {"scenarios", "trials", "contest", "measurement"}
FLOOR_5 = {"stages"}
FLOOR = (
    {"errors": 0}
    | {room: 1 for room in FLOOR_1}
    | {room: 2 for room in PURE | DOORS}
    | {room: 3 for room in FLOOR_3}
    | {room: 4 for room in FLOOR_4}
    | {room: 5 for room in FLOOR_5}
    | {"__main__": 6}
)
DRIVERS = {"psycopg2", "psycopg", "adbc_driver_postgresql", "adbc_driver_manager", "sqlalchemy"}
HEAVY = {"torch", "lightgbm", "ortools", "opendp", "shap", "numba", "polars", "mlflow", "sklearn", "pydantic"}


def modules(folder: str) -> list[Path]:
    """Return the Python files below ``folder``."""
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield every module name a file imports, local imports included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    """Return the room of ``ml/`` a file belongs to."""
    return path.relative_to(ROOT / "ml").parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """Return the rooms of ``ml/`` that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("ml.")} & set(FLOOR)


ML_FILES = [path for path in modules("ml") if room(path) != "__init__"]


@pytest.mark.parametrize("path", ML_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_stands_in_a_known_room_and_imports_downwards(path: Path) -> None:
    here = room(path)
    assert here in FLOOR, f"{path} belongs to no room of the house"
    for other in rooms_imported(path) - {here}:
        assert FLOOR[other] < FLOOR[here], (
            f"{path}: {here} (floor {FLOOR[here]}) imports {other} (floor {FLOOR[other]})"
        )


@pytest.mark.parametrize("path", [p for p in ML_FILES if room(p) in PURE], ids=lambda p: str(p.relative_to(ROOT)))
def test_pure_rooms_know_no_settings_environment_or_clock(path: Path) -> None:
    names = set(imports(path))
    assert not names & {"ml.settings", "os", "os.environ"}, f"{path} knows its surroundings"
    assert ".today(" not in path.read_text("utf-8") and ".now(" not in path.read_text("utf-8")


def users(packages: set[str], files: list[Path]) -> set[str]:
    """Return the files that import one of ``packages``."""
    return {str(p.relative_to(ROOT)) for p in files if {name.split(".")[0] for name in imports(p)} & packages}


def test_only_the_warehouse_imports_a_postgres_driver() -> None:
    assert users(DRIVERS, modules("ml")) == {"ml/warehouse.py"}


def test_only_tracking_imports_mlflow() -> None:
    assert {room(ROOT / path) for path in users({"mlflow"}, modules("ml"))} == {"tracking"}


def test_only_settings_and_the_doors_know_the_environment() -> None:
    readers = {str(p.relative_to(ROOT)) for p in modules("ml") if "os.environ" in p.read_text("utf-8")}
    readers -= {"ml/__init__.py"}  # it tells Polars how to sum, and reads nothing
    assert readers <= {"ml/tracking/__init__.py", "ml/transform.py"}, "settings.py is the one reader of the environment"


def test_the_dashboard_knows_result_views_only_and_has_one_door() -> None:
    pages = modules("dashboard")
    assert not users({"ml", "local", "airflow", "mlflow"}, pages)
    assert users(DRIVERS, pages) == {"dashboard/shop.py"}


def test_ml_and_dags_meet_by_the_command_line_only() -> None:
    assert not users({"airflow", "cosmos"}, modules("ml"))
    assert not users({"ml"}, modules("dags"))
    assert not users({"ml"}, modules("local"))


def test_nothing_heavy_is_loaded_on_the_way_to_the_help_text() -> None:
    code = (
        "import sys, ml.__main__ as m; m.parser().format_help(); print(*sorted({n.split('.')[0] for n in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not set(loaded.split()) & HEAVY


def test_no_folder_is_a_drawer_for_odds_and_ends() -> None:
    names = {path.name for folder in ("ml", "dags", "local") for path in (ROOT / folder).rglob("*") if path.is_dir()}
    assert not names & {"utils", "common", "helpers"}


def test_files_stay_small() -> None:
    long = {
        str(p): n
        for p in modules("ml") + modules("dags") + modules("local")
        if (n := len(p.read_text().splitlines())) > 300
    }
    assert not long, f"more than 300 lines: {long}"


def test_print_belongs_to_the_command_line() -> None:
    speakers = set()
    for path in modules("ml"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                speakers.add(str(path.relative_to(ROOT)))
    assert not speakers - {"ml/stages/report.py"}


def test_no_model_is_pickled() -> None:
    assert not users({"pickle", "joblib", "cloudpickle", "dill"}, modules("ml"))
