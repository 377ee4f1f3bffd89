"""MLflow behind its door: nobody without the login, no other Host, nothing of the server's machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.environment import PLUGINS
from local.instance import REPOSITORY, choose_port
from local.mlflow_door import login_of
from local.stack import MLFLOW_HOSTS, answers

LOGIN = ("admin", "a:pass word")
API = "/api/2.0/mlflow"
START_SECONDS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow as the stack starts it, but for its database."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = choose_port("unset", 45000 + os.getpid() % 10000)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{PLUGINS}",
        "MLFLOW_TRACKING_USERNAME": LOGIN[0],
        "MLFLOW_TRACKING_PASSWORD": LOGIN[1],
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    line += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    line += ["--app-name", "bundles-door", "--allowed-hosts", MLFLOW_HOSTS]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.3)
        (folder / "secret.txt").write_text("canary")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/static-files/index.html",
        "/version",
        "/health/../version",
        "/healthy",
        "//health",
        f"{API}/experiments/search?max_results=1",
        "/ajax-api/2.0/mlflow/experiments/search?max_results=1",
        "/api/2.0/mlflow-artifacts/artifacts/x",
        "/get-artifact?path=x&run_id=x",
        "/graphql",
        "/docs",
        "/openapi.json",
        "/api/3.0/mlflow/server-info",
    ],
)
@pytest.mark.parametrize("login", [None, ("admin", "password1234"), ("", "")])
def test_nobody_comes_in_without_the_login(server: str, path: str, login: tuple[str, str] | None) -> None:
    assert requests.get(server + path, auth=login, timeout=30).status_code == 401


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer YWRtaW46eA==", "Basic YWRtaW46YTpwYXNzIHdvcmQ"])
def test_a_header_that_is_no_login_is_refused(server: str, header: str) -> None:
    assert requests.get(server, headers={"Authorization": header}, timeout=30).status_code == 401


def test_everybody_may_ask_whether_it_is_up(server: str) -> None:
    answer = requests.get(f"{server}/health", timeout=30)
    assert (answer.status_code, answer.text) == (200, "OK")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "10.9.9.9", "192.168.1.7:5000", "127.0.0.1.evil.example:1"]
)
def test_another_host_is_refused(server: str, host: str) -> None:
    """A page that made its own name point here (DNS rebinding) reaches nothing."""
    answer = requests.get(
        f"{server}{API}/experiments/search?max_results=1", headers={"Host": host}, auth=LOGIN, timeout=30
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("name", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize("location", ["file:///etc", "/etc", "../..", "s3://stranger/x", "mlflow-artifact:/x"])
def test_artifacts_are_kept_behind_the_server_only(server: str, name: str, location: str) -> None:
    asked = {"name": f"{name} {location}", name: location}
    answer = requests.post(f"{server}{API}/experiments/create", json=asked, auth=LOGIN, timeout=30)
    assert (answer.status_code, "artifact_location" in answer.text) == (400, True)


@pytest.mark.parametrize("body", ["no json", "[]", '"x"', "{" + " " * 1_100_000 + "}"])
def test_what_the_door_cannot_read_makes_no_experiment(server: str, body: str) -> None:
    assert requests.post(f"{server}{API}/experiments/create", data=body, auth=LOGIN, timeout=30).status_code == 400


def test_a_client_with_the_login_works_and_reads_nothing_of_the_machine(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", LOGIN[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", LOGIN[1])
    client = MlflowClient(server, server)
    experiment = client.create_experiment("honest")
    run_id = client.create_run(experiment).info.run_id
    client.log_text(run_id, "kept", "notes/one.txt")
    (tmp_path / "in").mkdir()
    assert (
        Path(client.download_artifacts(run_id, "notes", str(tmp_path / "in"))).joinpath("one.txt").read_text() == "kept"
    )

    client.create_registered_model("m")
    source = {"name": "m", "source": "file:///etc", "run_id": run_id}
    assert requests.post(f"{server}{API}/model-versions/create", json=source, auth=LOGIN, timeout=30).status_code == 400
    for path in ("../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "..%252fsecret.txt", "%2fetc%2fpasswd"):
        for address in (
            f"/api/2.0/mlflow-artifacts/artifacts/{path}",
            f"/ajax-api/2.0/mlflow-artifacts/artifacts/{experiment}/{path}",
            f"/get-artifact?run_id={run_id}&path={path}",
            f"{API}/artifacts/list?run_id={run_id}&path={path}",
        ):
            answer = prepared(f"{server}{address}")
            assert 400 <= answer.status_code < 500 and "canary" not in answer.text and "root:" not in answer.text, (
                address
            )


def prepared(address: str) -> requests.Response:
    """Ask for an address as it is written: requests would take the dots away."""
    with requests.Session() as session:
        request = session.prepare_request(requests.Request("GET", address, auth=LOGIN))
        request.url = address
        return session.send(request, timeout=30)


@pytest.mark.parametrize("missing", ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"])
def test_without_a_login_the_server_does_not_start(missing: str) -> None:
    environment = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "x", missing: ""}
    with pytest.raises(SystemExit, match=missing):
        login_of(environment)
