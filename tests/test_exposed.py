"""What the running stack shows, after whole runs: to somebody without a login, in its logs, and in its databases."""

import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jwt
import psutil
import psycopg2
import pytest
import requests

from local.processes import _marked
from local.programs import programs
from local.stack import components, server
from tests.canaries import files_below, hits
from tests.database.permissions import surprises
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack]

# Where secrets are kept, for their owner alone.
KEPT = {"secrets.json", "airflow/passwords.json"}


@pytest.fixture(scope="module")
def secrets(stack: Stack) -> dict[str, str]:
    """Every secret of the stack: random, and on no other machine."""
    return stack.instance.secrets()


def of_stack(stack: Stack) -> Iterator[psutil.Process]:
    yield from _marked(stack.instance)
    # Airflow renames its processes, which takes their environment, and the mark with it, out of sight.
    for component in components(stack.instance).values():
        leader = component.process(stack.instance)
        assert leader is not None, component.name
        yield from (leader, *leader.children(recursive=True))
    postgres = server(stack.instance).process()
    assert postgres is not None
    yield postgres


def test_rights_after_whole_runs_are_those_of_the_matrix(stack: Stack) -> None:
    where = {"host": "127.0.0.1", "port": stack.instance.ports()["postgres"], "dbname": "shop", "user": "postgres"}
    secret = stack.instance.secrets()["POSTGRES_PASSWORD"]
    with closing(psycopg2.connect(password=secret, **where)) as connection:  # type: ignore[call-overload]
        assert surprises(connection) == []


def test_every_port_is_open_on_this_machine_only(stack: Stack) -> None:
    opened = {
        (one.laddr.ip, one.laddr.port)
        for process in of_stack(stack)
        for one in process.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    }
    assert {port for _, port in opened} >= set(stack.instance.ports().values())
    assert {address for address, _ in opened} == {"127.0.0.1"}


def test_no_secret_stands_in_logs_artifacts_or_what_dbt_leaves(stack: Stack, secrets: dict[str, str]) -> None:
    home = stack.instance.home
    files = [path for path in files_below(home) if str(path.relative_to(home)) not in KEPT]
    looked_at = {path.relative_to(home).parts[0] for path in files}
    assert looked_at >= {"logs", "airflow", "mlflow", "dbt"} and len(files) > 100
    assert hits(secrets, [*files, server(stack.instance).data.parent / "postgres.log"]) == []


@pytest.mark.parametrize("database", ["shop", "airflow", "mlflow"])
def test_no_secret_stands_in_a_database(stack: Stack, secrets: dict[str, str], database: str, tmp_path: Path) -> None:
    """Of Airflow: no XCom, no rendered field, no variable, no connection; of MLflow: no parameter, no tag."""
    dump = tmp_path / f"{database}.sql"
    line = [programs() / "pg_dump", "--inserts", "-f", dump]
    if database == "shop":
        # Customers and products are the shop's own; the rest is what runs leave.
        line += ["-n", "ops", "-n", "marts"]
    subprocess.run(line, env=server(stack.instance).client_environment("postgres", database), check=True)
    assert dump.stat().st_size > 10_000
    assert hits(secrets, [dump]) == []


def test_files_that_hold_secrets_are_for_their_owner_alone(stack: Stack, secrets: dict[str, str]) -> None:
    for name in KEPT:
        path = stack.instance.home / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, name
        assert hits(secrets, [path]), "there are secrets in it"


@pytest.mark.parametrize(
    "path", ["/api/v2/dags", "/api/v2/config", "/api/v2/connections", "/api/v2/variables", "/ui/dags"]
)
def test_airflow_answers_nobody_without_a_login(stack: Stack, path: str) -> None:
    assert requests.get(f"{stack.airflow}{path}", timeout=30).status_code in (401, 403)


@pytest.mark.parametrize("host", ["evil.example", "10.9.9.9:8080", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", ["/", "/api/v2/dags", "/api/v2/monitor/health", "/auth/login", "/execution/health"])
def test_airflow_answers_nobody_by_another_name(stack: Stack, path: str, host: str) -> None:
    headers = {**stack.api._headers, "Host": host}
    assert requests.get(f"{stack.airflow}{path}", headers=headers, timeout=30).status_code == 400


@pytest.mark.parametrize("login", [("admin", "admin"), ("airflow", "airflow"), ("admin", "")])
def test_airflow_has_no_login_that_everybody_knows(stack: Stack, login: tuple[str, str]) -> None:
    asked = dict(zip(("username", "password"), login, strict=True))
    assert requests.post(f"{stack.airflow}/auth/token", json=asked, timeout=30).status_code in (400, 401, 403, 422)


def status_with(stack: Stack, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{stack.airflow}/api/v2/dags", headers=headers, timeout=30).status_code


def test_a_token_that_is_stale_endless_or_signed_with_another_secret_is_refused(
    stack: Stack, secrets: dict[str, str]
) -> None:
    token = stack.api._headers["Authorization"].removeprefix("Bearer ")
    ours = jwt.decode(token, options={"verify_signature": False})
    algorithm = jwt.get_unverified_header(token)["alg"]
    secret, now = secrets["AIRFLOW__API_AUTH__JWT_SECRET"], int(time.time())
    yesterday = {"iat": now - 90_000, "nbf": now - 90_000, "exp": now - 3_600}
    endless = {name: value for name, value in ours.items() if name != "exp"}
    assert status_with(stack, token) == status_with(stack, jwt.encode(ours, secret, algorithm)) == 200
    assert status_with(stack, jwt.encode({**ours, **yesterday}, secret, algorithm)) == 401
    assert status_with(stack, jwt.encode(endless, secret, algorithm)) in (401, 403)
    assert status_with(stack, jwt.encode(ours, "x" * 64, algorithm)) in (401, 403)


def test_airflow_shows_its_settings_to_nobody(stack: Stack) -> None:
    answer = requests.get(f"{stack.airflow}/api/v2/config", headers=stack.api._headers, timeout=30)
    assert answer.status_code == 403


def test_mlflow_answers_nobody_without_a_login_or_by_another_name(stack: Stack) -> None:
    address = f"{stack.mlflow}/api/2.0/mlflow/experiments/search?max_results=5"
    assert requests.get(address, timeout=30).status_code == 401
    assert requests.get(address, auth=stack.mlflow_login, timeout=30).status_code == 200
    evil = requests.get(address, headers={"Host": "evil.example"}, auth=stack.mlflow_login, timeout=30)
    assert evil.status_code == 403


@pytest.mark.parametrize(("name", "status"), [("evil.example", 403), ("127.0.0.1", 101)])
def test_the_dashboard_shows_nothing_to_a_page_of_another_name(stack: Stack, name: str, status: int) -> None:
    """Its page is empty without the stream, which a browser opens by the name that it shows."""
    port = stack.instance.ports()["dashboard"]
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = {**upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f"http://{name}:{port}"}
    address = f"{stack.dashboard}/_stcore/stream"
    with requests.get(address, headers={**headers, "Host": f"{name}:{port}"}, timeout=30, stream=True) as answer:
        assert answer.status_code == status
