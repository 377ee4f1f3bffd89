"""docker-compose.yaml describes the stack that ``local/`` runs: same names, no secrets, nothing open to the network."""

import base64
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.environment import AIRFLOW_SETTINGS, OF_MIGRATIONS_ONLY, POOLS, SWITCHED_OFF, of_instance
from local.instance import PASSWORDS, Instance
from local.postgres import SETTINGS
from local.stack import DASHBOARD_OPTIONS, components
from ml.settings import AlertSettings, FreshnessSettings, Settings, SourceSettings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text("utf-8"))
ANALYSTS: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.analysts.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# libpq's names and dbmate's address: `local/` gives them to psql and dbmate alone, too.
ONE_SHOT_NAMES = {"PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD", "DATABASE_URL", "POSTGRES_INITDB_ARGS"}
# Set by the user: where deliveries lie and how they are read, who is told of incidents, how old data may be.
TOLD = {f"BUNDLES_ALERTS__{name.upper()}" for name in AlertSettings.model_fields}
AGE = {f"BUNDLES_FRESHNESS__{name.upper()}" for name in FreshnessSettings.model_fields}
PLACES = {f"BUNDLES_SOURCE__{name}" for name in ("FOLDER", "ONLINE_RETAIL", "NAME")}
READ = {
    f"BUNDLES_SOURCE__{name.upper()}" for name in SourceSettings.model_fields if not name.startswith("simulated_")
} - PLACES
OPTIONAL_NAMES = {*PLACES, *READ, *TOLD, *AGE}
AIRFLOW = {name for name in SERVICES if name.startswith("airflow-")}


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def image_names() -> set[str]:
    return set(re.findall(r"BUNDLES_\w+(?==\$)", (ROOT / "Dockerfile").read_text("utf-8")))


def test_the_names_are_those_of_the_embedded_stack(tmp_path: Path) -> None:
    embedded = {*SWITCHED_OFF, *AIRFLOW_SETTINGS, *of_instance(Instance(tmp_path))}
    described = image_names().union(*(environment(service) for service in SERVICES))
    assert described - ONE_SHOT_NAMES - OPTIONAL_NAMES - OF_MIGRATIONS_ONLY == embedded


def test_the_settings_are_those_of_the_embedded_stack() -> None:
    for service in AIRFLOW:
        same = {name: environment(service).get(name) for name in AIRFLOW_SETTINGS}
        assert same == AIRFLOW_SETTINGS
    flags = dict(re.findall(r"-c (\w+)=(\S+)", SERVICES["postgres"]["command"]))
    ours = {name: value.strip("'") for name, value in SETTINGS.items()}
    assert flags == {k: v for k, v in ours.items() if k not in ("listen_addresses", "unix_socket_directories")}


def test_the_services_are_those_of_the_embedded_stack(tmp_path: Path) -> None:
    assert set(SERVICES) == {"postgres", "migrate", "airflow-init", *components(Instance(tmp_path))}
    for name, component in components(Instance(tmp_path)).items():
        if name in AIRFLOW:
            assert SERVICES[name]["command"] == ["airflow", *list(component.command)[3:]]


def test_the_dashboard_runs_with_the_options_of_the_embedded_stack_and_knows_no_password() -> None:
    words = SERVICES["dashboard"]["command"].split()
    assert words[:5] == ["python", "-m", "streamlit", "run", "dashboard/app.py"]
    assert words[5:-4] == list(DASHBOARD_OPTIONS)
    assert not [name for name in environment("dashboard") if "PASSWORD" in name]


def test_every_secret_comes_from_outside_and_has_no_default() -> None:
    text = (ROOT / "docker-compose.yaml").read_text("utf-8")
    used = re.findall(r"\$\{(\w+)([^}]*)\}", text)
    assert {name for name, _ in used} >= set(PASSWORDS)
    assert all(rule.startswith(":?") for name, rule in used if name in PASSWORDS)
    for service in SERVICES:
        for name, value in environment(service).items():
            if re.search(r"PASSWORD$|SECRET|KEY", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{service}: {name}"


def test_only_the_migration_knows_the_superuser_and_the_owner() -> None:
    for service in AIRFLOW | {"mlflow"}:
        values = " ".join(environment(service).values())
        assert "POSTGRES_PASSWORD" not in values and "OWNER_PASSWORD" not in values


def test_ports_are_open_on_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"mlflow", "dashboard", "airflow-api-server"}
    for service in (*SERVICES.values(), *ANALYSTS["services"].values()):
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_postgres_is_reached_by_services_only_unless_analysts_ask_for_it() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["inside"]
    (opened,) = ANALYSTS["services"]
    assert opened == "postgres"


def test_services_that_tell_of_incidents_are_told_whom_and_get_out() -> None:
    """Tasks run under the scheduler; of one that was lost without a heartbeat the DAG processor runs the callback."""
    telling = {name for name in SERVICES if TOLD & set(environment(name))}
    assert telling == {"airflow-scheduler", "airflow-dag-processor"}
    for name in telling:
        assert set(environment(name)) >= TOLD
        assert {"inside", "outside"} <= set(SERVICES[name]["networks"])
    assert set(environment("airflow-scheduler")) >= AGE | READ
    assert SERVICES["airflow-triggerer"]["networks"] == ["inside"], "it tells nobody and needs no way out"


@pytest.mark.parametrize(
    "given", [{}, {"BUNDLES_ALERTS__WEBHOOK": "https://x.example/t", "BUNDLES_ALERTS__MAIL_PORT": "587"}]
)
def test_what_the_services_are_given_is_what_the_settings_take(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in TOLD | AGE | READ:
        default = re.fullmatch(r"\$\{(\w+):-(.*)\}", environment("airflow-scheduler")[name])
        assert default and default[1] == name
        monkeypatch.setenv(name, given.get(name, default[2]))
    settings = Settings()
    assert (settings.freshness, settings.source) == (FreshnessSettings(), SourceSettings())
    assert settings.alerts == AlertSettings.model_validate(
        {name.removeprefix("BUNDLES_ALERTS__").lower(): value for name, value in given.items()}
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    assert confinement_gaps(SERVICES[name]) == []


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        ({"user": "root"}, "runs as root"),
        ({"user": "0:0"}, "runs as root"),
        ({"user": None}, "runs as root"),
        ({"read_only": False}, "writes to its file system"),
        ({"tmpfs": []}, "has nowhere to write"),
        ({"cap_drop": ["NET_RAW"]}, "keeps capabilities"),
        ({"cap_add": ["SYS_ADMIN"]}, "keeps capabilities"),
        ({"privileged": True}, "keeps capabilities"),
        ({"security_opt": []}, "may gain privileges"),
        ({"mem_limit": None}, "has no limit of memory"),
        ({"pids_limit": None}, "has no limit of processes"),
        ({"logging": None}, "writes logs without end"),
        ({"logging": {"driver": "json-file"}}, "writes logs without end"),
        ({"logging": {"driver": "json-file", "options": {"max-file": "3"}}}, "writes logs without end"),
        ({"network_mode": "host"}, "is in the host's network"),
        ({"networks": []}, "is in the host's network"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "reaches the engine"),
        ({"image": "postgres:latest"}, "has no exact image"),
        ({"image": "postgres:18"}, "has no exact image"),
        ({"image": "postgres"}, "has no exact image"),
    ],
)
def test_a_service_that_is_not_confined_is_found(change: dict[str, object], gap: str) -> None:
    assert confinement_gaps({**SERVICES["postgres"], **change}) == [gap]


def confinement_gaps(service: dict[str, Any]) -> list[str]:
    """Return what a service may do that it need not."""
    default = re.fullmatch(r"\$\{\w+:-(.+)\}", service["image"])
    image = default[1] if default else service["image"]
    checks = {
        "runs as root": str(service.get("user") or "root").split(":")[0] not in ("root", "0"),
        "writes to its file system": service.get("read_only") is True,
        "has nowhere to write": bool(service.get("tmpfs")),
        "keeps capabilities": service.get("cap_drop") == ["ALL"]
        and not service.get("cap_add")
        and not service.get("privileged"),
        "may gain privileges": "no-new-privileges:true" in service.get("security_opt", []),
        "has no limit of memory": bool(service.get("mem_limit")),
        "has no limit of processes": bool(service.get("pids_limit")),
        "writes logs without end": {"max-size", "max-file"} <= set((service.get("logging") or {}).get("options", ())),
        "is in the host's network": bool(service.get("networks")) and not service.get("network_mode"),
        "reaches the engine": not any("docker.sock" in volume for volume in service.get("volumes", [])),
        # Our own image is built from the repository; a foreign one is named to the last digit of its version.
        "has no exact image": "build" in service or bool(re.search(r":\d+\.\d+|@sha256:[0-9a-f]{64}$", image)),
    }
    return [gap for gap, is_met in checks.items() if not is_met]


def test_the_base_of_our_image_is_exact_and_libraries_write_to_memory() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+\nFROM \$\{PYTHON_IMAGE\}$", text, re.M)
    assert re.search(r"^USER bundles$", text, re.M) and "useradd --uid 10001" in text
    assert "HOME=/tmp" in text and "NUMBA_CACHE_DIR=/tmp/" in text


def test_mlflow_is_behind_its_door_as_in_the_embedded_stack(tmp_path: Path) -> None:
    words = SERVICES["mlflow"]["command"].split()
    embedded = list(components(Instance(tmp_path))["mlflow"].command)
    assert words[words.index("--app-name") + 1] == embedded[embedded.index("--app-name") + 1] == "bundles-door"
    hosts = words[words.index("--allowed-hosts") + 1].split(",")
    assert set(hosts) == {"mlflow:5000", *embedded[embedded.index("--allowed-hosts") + 1].split(",")}
    assert "PYTHONPATH=/app:/app/local/plugins" in (ROOT / "Dockerfile").read_text("utf-8")


def test_every_service_that_stays_is_watched_and_every_volume_is_named() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) is (name not in ("migrate", "airflow-init")), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or volume.endswith(":/deliveries:ro")


def test_all_airflow_services_read_the_dags_of_the_repository() -> None:
    for service in AIRFLOW:
        assert environment(service)["AIRFLOW__CORE__DAGS_FOLDER"] == "/app/dags"
        assert environment(service)["AIRFLOW__CORE__PLUGINS_FOLDER"] == "/app/dags/plugins"
        assert environment(service)["BUNDLES_DBT__PROJECT_DIR"] == "/app/dbt_project"
    assert re.search(r"^COPY \. /app$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)


def words_of_services() -> str:
    """Return all that commands, environments and the image's recipe say, as one text."""
    named = [str(SERVICES[name].get(part, "")) for name in SERVICES for part in ("command", "environment")]
    return "\n".join([*named, (ROOT / "Dockerfile").read_text("utf-8")])


def folders_that_run() -> set[str]:
    """Return the folders that services name, and those whose modules these import or start."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isidentifier()}
    reached: set[str] = set()
    words = words_of_services()
    waiting = {*re.findall(r"/app/(\w+)", words), *re.findall(r"(\w+)/\w", words)} & folders
    while waiting:
        folder = waiting.pop()
        reached.add(folder)
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            used = re.findall(r"^\s*(?:from|import) (\w+)", text, re.M) + re.findall(r'"-m", "(\w+)', text)
            waiting |= set(used) & folders - reached
    return reached


def test_the_image_holds_every_folder_that_a_service_runs() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert {"dashboard", "database", "ml"} <= folders_that_run() <= kept, "the page, what psql reads, what tasks start"
    files = re.findall(r"^COPY (?!\. )(\S+) ", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    assert files and set(files) <= kept


def test_the_pools_of_the_dags_are_made_before_any_task_is_scheduled() -> None:
    line = " ".join(SERVICES["airflow-init"]["command"][-1].split())
    for pool in POOLS:
        made = f'airflow pools set {pool["name"]} {pool["slots"]} "{pool["description"]}"'
        assert f"airflow pools get {pool['name']} > /dev/null 2>&1 || {made}" in line
    assert line.index("airflow db migrate") < line.index("airflow pools get")
    started = SERVICES["airflow-scheduler"]["depends_on"]["airflow-init"]
    assert started == {"condition": "service_completed_successfully"}


def test_the_documents_name_services_folders_and_settings_as_they_are() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    asked = r"docker compose (?:exec|run|up)(?: -e \w+='[^']*'| -+[\w-]+)*(?: ([a-z][\w-]*))?"
    named = set(re.findall(asked, text)) - {""}
    assert {"postgres", "migrate", "mlflow", "airflow-scheduler"} == named & set(SERVICES) == named
    held = {volume.split(":")[1] for name in named for volume in SERVICES[name].get("volumes", [])}
    assert set(re.findall(r"/var/lib/\w+", text)) - {"/var/lib/bundles"} <= held
    assert set(re.findall(r"\(volume `([\w-]+)`\)", text)) <= set(COMPOSE["volumes"])
    assert set(re.findall(r"BUNDLES_(?:ALERTS|FRESHNESS)__\w+", text)) == TOLD | AGE
    for name, field in AlertSettings.model_fields.items():
        default = field.default if isinstance(field.default, str | int) else ""
        assert f"| `BUNDLES_ALERTS__{name.upper()}` | {f'`{default}`' if default else 'empty'} |" in text


def filled_example(folder: Path) -> Path:
    """Run the command that .env.example itself gives, on a copy."""
    shutil.copy(ROOT / ".env.example", folder)
    for path in ROOT.glob("docker-compose*.yaml"):
        shutil.copy(path, folder)
    text = (ROOT / ".env.example").read_text("utf-8")
    command = re.search(r"^#   (.+)$", text, re.M)
    assert command
    subprocess.run(["bash", "-euc", command[1]], cwd=folder, check=True)
    return folder / ".env"


def test_the_example_names_every_variable_and_its_command_fills_every_secret(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    example = dict(re.findall(r"^(\w+)=(.*)$", text, re.M))
    # In comments, or the command would fill them with secrets.
    optional = dict(re.findall(r"^#(\w+)=(.*)$", text, re.M))
    assert set(optional) == TOLD | AGE | READ
    files = ("docker-compose.yaml", "docker-compose.analysts.yaml")
    used = set(re.findall(r"\$\{(\w+)", "".join((ROOT / file).read_text("utf-8") for file in files)))
    assert {*example, *optional} == used
    assert not [name for name in PASSWORDS if example[name]], "the example holds no password"
    path = filled_example(tmp_path)
    filled = dict(re.findall(r"^(\w+)=(.*)$", path.read_text("utf-8"), re.M))
    assert all(len(filled[name]) >= 44 for name in PASSWORDS)
    assert len({filled[name] for name in PASSWORDS}) == len(PASSWORDS), "no two are the same"
    assert len(base64.urlsafe_b64decode(filled["AIRFLOW__CORE__FERNET_KEY"])) == 32
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(
    not shutil.which("docker-compose"),
    reason="docker-compose is not installed (Debian: apt-get install docker-compose)",
)
def test_docker_compose_accepts_the_file_and_refuses_it_without_secrets(tmp_path: Path) -> None:
    path = filled_example(tmp_path)
    done = subprocess.run(["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)
    both = ["docker-compose", "-f", "docker-compose.yaml", "-f", "docker-compose.analysts.yaml", "config"]
    done = subprocess.run(both, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]["postgres"]["networks"]) == {"inside", "outside"}
    path.unlink()
    done = subprocess.run(["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "see .env.example" in done.stderr
