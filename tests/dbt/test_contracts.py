"""What a contract promises, by breaking it: a bad candidate is refused, and what stood before stands and can be read.

The models are probes, under the configuration and macros of the project: each makes a good row in the first build, and
in the second whatever is wrong. Two builds for all of them, since starting dbt takes longest.
"""

import shutil

import psycopg2.extensions
import pytest

from ml.errors import DataError
from ml.settings import DbtSettings, Settings
from ml.transform import _results, build
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
GOOD = "select date '2024-03-31' as as_of, 'a'::text as probe_id, 0.5::double precision as share"
ROWS = (
    "select date '2024-03-31' as as_of, probe_id::text, share::double precision from (values {}) as v (probe_id, share)"
)
BAD = {
    "wrong_type": (GOOD.replace("double precision", "text"), "enforced contract that failed"),
    "missing_column": (GOOD.rsplit(",", 1)[0], "enforced contract that failed"),
    "unknown_column": (f"{GOOD}, 1 as extra", "enforced contract that failed"),
    "null": (ROWS.format("('b', 0.1), ('c', null)"), 'null value in column "share"'),
    "nan": (ROWS.format("('b', 0.1), ('c', 'NaN')"), "violates check constraint"),
    "infinity": (ROWS.format("('b', 0.1), ('c', 'Infinity')"), "violates check constraint"),
    "out_of_range": (ROWS.format("('b', 0.1), ('c', 1.1)"), "violates check constraint"),
    "duplicate_key": (
        ROWS.format("('b', 0.1), ('b', 0.2)"),
        "key (as_of, probe_id) of ftr_duplicate_key twice or null",
    ),
    "null_key": (ROWS.format("('b', 0.1), (null, 0.2)"), "key (as_of, probe_id) of ftr_null_key twice or null"),
    "late_failure": (ROWS.format("('b', 0.1), ('c', 1 / (select 0))"), "division by zero"),
    "lost_column": (GOOD, "out of sync"),
    "grown_column": (GOOD, "out of sync"),
    "sound": (ROWS.format("('b', 0.1), ('c', 0.2)"), ""),
}
"""By what is wrong: the second query, and what must be said of it."""
LEFT_OUT = ("target", "logs", "seeds", "tests", "*__*", "int_*", "ftr_*", "fct_*", "dim_*", "exposures.yml")
"""What the probes' project does without; macros and the descriptions of sources stay."""
YAML = """
  - name: ftr_{name}
    description: A probe.
    data_tests:
      - unique_together:
          arguments: {{columns: [as_of, probe_id]}}
    columns:
      - {{name: as_of, description: Day., data_type: date, constraints: [{{type: not_null}}]}}
      - {{name: probe_id, description: Key., data_type: text}}
      - name: share
        description: A share.
        data_type: double precision
        constraints: [{{type: not_null}}, {{type: check, expression: "share >= 0 and share <= 1"}}]
"""


@pytest.fixture(scope="module")
def probes(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a project with the macros and configuration of the real one, and the probes for models."""
    home = tmp_path_factory.mktemp("probes")
    shutil.copytree(shop.dbt.project_dir, home, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
    models = home / "models" / "features"
    for name, (query, _) in BAD.items():
        both = f"{{% if env_var('PROBE', 'good') == 'good' %}}{GOOD}{{% else %}}{query}{{% endif %}}"
        (models / f"ftr_{name}.sql").write_text(both, "utf-8")
    (models / "probes.yml").write_text("models:\n" + "".join(YAML.format(name=name) for name in BAD), "utf-8")
    return shop.model_copy(update={"dbt": DbtSettings(project_dir=home, target_dir=home / "target")})


def said(settings: Settings) -> dict[str, str]:
    """Build the probes and return what dbt says of each, nothing of those that went through."""
    results, _ = _results(settings, ["build"], "run_results.json", AS_OF)
    models = [one for one in results if one["unique_id"].startswith("model.")]
    return {
        one["unique_id"].rsplit(".ftr_", 1)[1]: "" if one["status"] == "success" else one["message"] for one in models
    }


def rows(owner: Connection, name: str) -> list[tuple[object, ...]]:
    with owner.cursor() as cursor:
        cursor.execute(f"select probe_id, share from features.ftr_{name} order by probe_id")
        return cursor.fetchall()


@pytest.fixture(scope="module")
def rebuilt(probes: Settings, owner: Connection) -> dict[str, str]:
    """What dbt says of each probe when it is built anew for the same day, badly."""
    assert set(said(probes).values()) == {""}
    with owner.cursor() as cursor:
        cursor.execute("set role bundles_transformer; alter table features.ftr_lost_column add column lost int;"
                       " alter table features.ftr_grown_column drop column share; reset role")  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROBE", "bad")
        return said(probes)


@pytest.mark.parametrize("name", [name for name in BAD if name != "sound"])
def test_a_bad_candidate_is_refused_with_the_reason_and_the_old_rows_can_be_read(
    rebuilt: dict[str, str], owner: Connection, name: str
) -> None:
    assert BAD[name][1] in rebuilt[name], rebuilt[name]
    if name == "grown_column":
        with owner.cursor() as cursor:
            cursor.execute("select probe_id from features.ftr_grown_column")
            assert cursor.fetchall() == [("a",)]
    else:
        assert rows(owner, name) == [("a", 0.5)]


def test_a_good_candidate_replaces_its_day(rebuilt: dict[str, str], owner: Connection) -> None:
    assert rebuilt["sound"] == ""
    assert rows(owner, "sound") == [("b", 0.1), ("c", 0.2)]


def test_a_source_that_drifted_stops_the_build_and_names_each_column(
    probes: Settings, rebuilt: dict[str, str], plant: Plant, owner: Connection
) -> None:
    plant("sessions", [{"session_id": "s", "started_at": f"{AS_OF} 08:00:00+00"}])
    before = rows(owner, "sound")
    with owner.cursor() as cursor:
        cursor.execute(
            # No source names it, so nothing is said of it.
            "create table raw.reviews_copy as table raw.reviews;"
            "alter table raw.sessions add column device text;"
            "alter table raw.reviews drop column rating;"
            "alter table raw.events rename column query_text to search_text;"
            "alter table raw.lead_times alter column lead_days type bigint"
        )
    with pytest.raises(DataError) as refused:
        build(probes, AS_OF)
    drift = (
        "schema_drift: raw.events.query_text is gone; raw.events.search_text is new; raw.lead_times.lead_days is"
        " bigint, not integer; raw.reviews.rating is gone; raw.sessions.device is new"
    )
    assert drift in " ".join(str(refused.value).split())
    with owner.cursor() as cursor:
        cursor.execute("select session_id, device from raw.sessions")
        assert cursor.fetchall() == [("s", None)]
    assert rows(owner, "sound") == before
