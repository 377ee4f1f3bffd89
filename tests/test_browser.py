"""What an operator and a data scientist see, through a real browser; screenshots for the README on request."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.stack import AS_OF, CHAIN, CHAIN_SECONDS, PLANNED, ROOT, Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.browser]

IMAGES = ROOT / "docs" / "images"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def airflow(browser: Any, stack: Stack) -> Iterator[Any]:
    """A page that is logged in to Airflow."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(stack.airflow)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", stack.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "login" not in address)
    yield page
    page.close()


@pytest.fixture
def mlflow(browser: Any, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A signed-in page of its own for each test: MLflow does not redraw when only the part behind the # changes."""
    user, password = stack.mlflow_login
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
    login = {"username": user, "password": password}
    page = browser.new_page(viewport={"width": 1440, "height": 900}, http_credentials=login)
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


def picture(page: Any, name: str) -> None:
    """Save a screenshot where they are asked for."""
    if os.environ.get("BUNDLES_SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(IMAGES) / f"{name}.png")


def test_an_operator_sees_the_dags_and_no_import_error(airflow: Any, stack: Stack) -> None:
    airflow.goto(f"{stack.airflow}/dags")
    for dag_id in (*CHAIN, "plan_scenarios", "measure_bundles"):
        airflow.get_by_role("link", name=dag_id, exact=True).first.wait_for()
    assert airflow.get_by_text("Dag Import Error").count() == 0


def test_an_operator_opens_the_graph_of_a_run(airflow: Any, stack: Stack) -> None:
    run = next(run for run in stack.api.runs("recommend_bundles") if run["state"] == "success")
    airflow.goto(f"{stack.airflow}/dags/recommend_bundles/runs/{run['dag_run_id']}")
    graph = airflow.locator('button[aria-label^="Show Graph"]')
    graph.first.wait_for()
    graph.first.click()
    airflow.locator(".react-flow__node").first.wait_for()
    shown = " ".join(airflow.locator(".react-flow__node").all_inner_texts())
    for task in ("propose_candidates", "optimise_bundles", "audit_bundles", "approve_bundles", "publish_bundles"):
        assert task in shown, task
    picture(airflow, "airflow-graph")


def test_an_operator_finds_the_run_of_the_features(airflow: Any, stack: Stack) -> None:
    run = next(run for run in stack.api.runs("build_features") if run["state"] == "success")
    airflow.goto(f"{stack.airflow}/dags/build_features/runs/{run['dag_run_id']}")
    airflow.get_by_text("check_freshness").first.wait_for()


def open_form(airflow: Any, address: str) -> Any:
    """Return the trigger form on the page of a DAG; a click on a page that is still being put together is lost."""
    from playwright.sync_api import TimeoutError as TooLate

    airflow.goto(address)
    form = airflow.get_by_role("dialog")
    for _ in range(5):
        airflow.get_by_role("button", name="Trigger").first.click()
        with suppress(TooLate):
            form.wait_for(timeout=10_000)
            break
    return form


def test_the_trigger_form_asks_for_typed_values(airflow: Any, stack: Stack) -> None:
    open_form(airflow, f"{stack.airflow}/dags/recommend_bundles").get_by_text("Largest bundle").first.wait_for()
    for title in ("As-of date", "Policy", "Solver", "Budget (cents)", "Ask before publishing", "Seed"):
        airflow.get_by_text(title, exact=False).first.wait_for(state="attached")
    airflow.keyboard.press("Escape")


def test_a_merchandiser_plans_one_scenario_by_the_form_and_sees_its_mart_filled(airflow: Any, stack: Stack) -> None:
    known = {run["dag_run_id"] for run in stack.api.runs("plan_scenarios")}
    ((before,),) = stack.rows("select max(run_id) from marts.fct_launches", role="analyst")
    form = open_form(airflow, f"{stack.airflow}/dags/plan_scenarios")
    form.get_by_text("Promotion: budget (cents)").wait_for()
    for title in ("Scenarios", "Replenishment: service level", "Launch: audience", "Margin floor"):
        form.get_by_text(title, exact=False).first.wait_for(state="attached")
    chosen = form.get_by_label("Select one or multiple values")
    for _ in PLANNED:  # each takes away the last of those that were chosen before
        chosen.press("Backspace")
    chosen.fill("launch")
    chosen.press("Enter")
    form.locator("input[name=element_as_of]").fill(AS_OF)
    picture(airflow, "airflow-scenarios-form")
    form.get_by_role("button", name="Trigger", exact=True).click()
    run = stack.wait_for_run("plan_scenarios", CHAIN_SECONDS, known)
    states = stack.tasks("plan_scenarios", run["dag_run_id"])
    done = {task.split(".")[0] for task, state in states.items() if state == "success"}
    assert done == {"choose_personal", "choose_scenarios", "launch"}
    ((now,),) = stack.rows("select max(run_id) from marts.fct_launches", role="analyst")
    assert now > before


def test_a_data_scientist_sees_the_runs_of_the_policies(mlflow: Any, stack: Stack) -> None:
    mlflow.goto(f"{stack.mlflow}/#/experiments")
    for experiment in ("bundle_policy", "preference", "association"):
        mlflow.get_by_role("link", name=experiment, exact=True).first.wait_for()
    link = mlflow.get_by_role("link", name="bundle_policy", exact=True).first.get_attribute("href")
    experiment_id = re.search(r"experiments/(\d+)", link)
    assert experiment_id
    # The link leads to the page of chat applications; the runs are beside it.
    runs = f"{stack.mlflow}/#/experiments/{experiment_id[1]}/runs?workflowType=machine_learning"
    mlflow.goto(runs)
    mlflow.get_by_role("row").nth(4).wait_for()
    shown = mlflow.inner_text("body")
    assert all(policy in shown for policy in ("expected_joint_purchase", "frequently_bought_together"))
    mlflow.goto(f"{runs}&compareRunsMode=CHART")
    mlflow.reload()
    mlflow.get_by_text("hit_5", exact=True).first.wait_for()
    mlflow.get_by_role("button", name="Close").first.click()
    picture(mlflow, "mlflow-policies")


@pytest.mark.parametrize("model", ["preference", "association"])
def test_a_data_scientist_sees_the_champion_and_why(mlflow: Any, stack: Stack, model: str) -> None:
    ((version, run_id, reason),) = stack.rows(
        "select version, mlflow_run_id, reason from ops.promotions"
        f" where model = '{model}' and verdict = 'promoted' order by promotion_id limit 1"
    )
    mlflow.goto(f"{stack.mlflow}/#/models/{model}")
    mlflow.get_by_text("champion").first.wait_for()
    mlflow.goto(f"{stack.mlflow}/#/models/{model}/versions/{version}")
    mlflow.reload()
    mlflow.get_by_text(reason[:60]).first.wait_for()
    experiment = stack.experiment(model)
    mlflow.goto(f"{stack.mlflow}/#/experiments/{experiment}/runs/{run_id}/artifacts")
    mlflow.reload()
    mlflow.get_by_text("card.md").first.click()
    mlflow.get_by_text("Known limits").first.wait_for()
    picture(mlflow, f"mlflow-{model}-champion")


def test_a_data_scientist_sees_a_refused_challenger_with_its_reason(mlflow: Any, stack: Stack) -> None:
    """A challenger of two small trees, trained by hand."""
    arguments = ("ml", "train_preference", "--as-of", AS_OF, "--retrain", "true", "--started-by", "refused")
    stack.command("exec", sys.executable, "-m", *arguments, environment={"BUNDLES_PREFERENCE__TREES": "2"})
    ((version, run_id, verdict, reason),) = stack.rows(
        "select version, mlflow_run_id, verdict, reason from ops.promotions where started_by = 'refused'"
    )
    assert verdict == "refused"
    mlflow.goto(f"{stack.mlflow}/#/models/preference/versions/{version}")
    mlflow.get_by_text("not passed: FAILED: recall@20").first.wait_for()
    mlflow.goto(f"{stack.mlflow}/#/experiments/{stack.experiment('preference')}/runs/{run_id}")
    mlflow.reload()
    mlflow.get_by_text(reason[:60]).first.wait_for()
    shown = mlflow.inner_text("body")
    assert all(word in shown for word in ("challenger", "refused", "features.ftr_baskets"))
    picture(mlflow, "mlflow-refused")


def shows_picture(page: Any, stack: Stack, experiment: str, run_id: str, file: str) -> None:
    """Open an artifact of a run, and wait until the browser has decoded it."""
    page.goto(f"{stack.mlflow}/#/experiments/{stack.experiment(experiment)}/runs/{run_id}/artifacts/{file}")
    page.reload()
    page.wait_for_function(
        "name => [...document.images].some(one => one.alt === name && one.complete && one.naturalWidth > 300)", arg=file
    )


@pytest.mark.parametrize(
    ("experiment", "role", "file"),
    [
        ("preference", "champion", "plots/recall_by_k.png"),
        ("preference", "comparison", "plots/recall_20_over_candidate.png"),
        ("association", "comparison", "plots/pair_readings.png"),
        ("association", "comparison", "plots/completion_recall_10_differences.png"),
        ("bundle_policy", None, None),
    ],
)
def test_a_data_scientist_looks_at_the_plots_of_each_experiment(
    mlflow: Any, stack: Stack, experiment: str, role: str | None, file: str | None
) -> None:
    """The run of a role that has the file; of the policies, any run and any of its plots."""
    client = MlflowClient(stack.mlflow)
    wanted = f"tags.role = '{role}'" if role else ""
    plots = [
        (run.info.run_id, found.path)
        for run in client.search_runs([stack.experiment(experiment)], wanted)
        for found in client.list_artifacts(run.info.run_id, "plots")
        if file in (None, found.path)
    ]
    assert plots, f"no run of {experiment} has {file or 'a plot'}"
    shows_picture(mlflow, stack, experiment, *plots[0])
    picture(mlflow, f"mlflow-{experiment}-{Path(plots[0][1]).stem.replace('_', '-')}")


def test_a_data_scientist_sees_all_models_side_by_side(mlflow: Any, stack: Stack) -> None:
    experiment = stack.experiment("preference")
    (run, *_) = MlflowClient(stack.mlflow).search_runs([experiment], "tags.model = 'all'")
    mlflow.goto(f"{stack.mlflow}/#/experiments/{experiment}/runs/{run.info.run_id}/artifacts/models.json")
    mlflow.reload()
    mlflow.get_by_text("two_tower_additive").first.wait_for()
    mlflow.get_by_text("recall_20").first.wait_for()
    picture(mlflow, "mlflow-comparison")


def test_a_person_promotes_and_rolls_back_in_the_page_of_the_model(mlflow: Any, stack: Stack) -> None:
    """The version that the gate refused is made champion by hand; then the one before it again."""
    ((refused, before),) = stack.rows(
        "select version, previous_version from ops.promotions where started_by = 'refused'"
    )
    for version, kind in ((refused, "by_hand"), (before, "rollback")):
        move_alias(mlflow, stack, version)
        arguments = ("ml", "train_preference", "--as-of", AS_OF, "--started-by", f"after_{kind}")
        stack.command("exec", sys.executable, "-m", *arguments)
        noted = stack.rows(f"select version, kind, verdict from ops.promotions where started_by = 'after_{kind}'")
        assert noted == [(version, kind, "noted")]
    tags = MlflowClient(stack.mlflow).get_model_version("preference", str(refused)).tags
    assert tags["rolled_back"] == "true"


def move_alias(page: Any, stack: Stack, version: int) -> None:
    """Give a version the alias ``champion`` in its page, which takes it from the other."""
    page.goto(f"{stack.mlflow}/#/models/preference/versions/{version}")
    page.reload()
    page.get_by_title("Add aliases").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").click()
    dialog.get_by_role("combobox").press_sequentially("champion", delay=30)
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Save aliases").click()
    dialog.wait_for(state="hidden")


def test_an_analyst_signs_in_to_the_dashboard_and_looks_at_every_page(browser: Any, stack: Stack) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(stack.dashboard)
    password = page.locator("input[type=password]")
    password.fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Postgres refused this password").wait_for()
    assert page.get_by_text("Today's bundles").count() == 0
    password.fill(stack.instance.secrets()["BUNDLES_WAREHOUSE__ANALYST_PASSWORD"])
    page.get_by_role("button", name="Sign in").click()
    for title in ("Today's bundles", "What they earned", "Policies compared", "Stock commitments", "Data health"):
        page.get_by_test_id("stSidebarNav").get_by_text(title).click()
        page.get_by_role("heading", name=title).wait_for()
        page.get_by_test_id("stDataFrame").or_(page.get_by_test_id("stException")).first.wait_for()
        assert page.get_by_test_id("stException").count() == 0, page.get_by_test_id("stException").first.inner_text()
        picture(page, f"dashboard-{title.split()[-1].lower()}")
    page.close()


def test_an_analyst_opens_the_report_of_the_measurements_in_mlflow(mlflow: Any, stack: Stack) -> None:
    ((run_id,),) = stack.rows("select distinct mlflow_run_id from marts.fct_drift", role="analyst")
    experiment = stack.experiment("measurements")
    mlflow.goto(f"{stack.mlflow}/#/experiments/{experiment}/runs/{run_id}/artifacts/report.html")
    mlflow.reload()
    report = mlflow.frame_locator("iframe").first
    report.get_by_role("heading", name=f"Measurements of {AS_OF}").wait_for()
    picture(mlflow, "mlflow-measurements")
