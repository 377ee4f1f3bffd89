"""Promotion against a real MLflow store and a real database: gate, freeze, rollback by a person, and the record."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ml.errors import DataError
from ml.params import Context, RunParams
from ml.publishing.promotion import Decision, Kind, Promotions
from ml.settings import Settings, TrackingSettings
from ml.tracking import Tracking
from ml.versions import Version
from ml.warehouse import Warehouse

DAYS = [date(2017, month, 1) for month in range(1, 13)]


class Desk:
    """A registered model and the record beside it, and a new version of a recipe for the asking."""

    def __init__(self, settings: Settings, folder: Path, model: str) -> None:
        self.settings, self.folder, self.model = settings, folder, model
        self.tracking, self.client = Tracking(settings), MlflowClient(settings.tracking.uri)

    def promotions(self, frozen: bool = False) -> Promotions:
        context = Context(DAYS[-1], "test", RunParams(freeze_promotion=frozen))
        return Promotions(self.settings, context, self.model, followed=str.strip)

    def trained(self, recipe: str | None, day: date) -> Version:
        tags = {"data_cut_off": day, "role": "challenger"} | ({"recipe": recipe} if recipe else {})
        with self.tracking.run(self.model, str(recipe), tags) as run:
            return self.tracking.register(self.model, self.folder, run, tags)

    def submit(
        self,
        recipe: str | None,
        day: date,
        passed: bool = True,
        kind: Kind = "challenger",
        frozen: bool = False,
        meanwhile: Version | None = None,
    ) -> tuple[Version, Decision]:
        """Train and judge a version; a person points the alias at another one ``meanwhile``."""
        promotions = self.promotions(frozen)
        promotions.notice_moves()
        version = self.trained(recipe, day)
        if meanwhile:
            self.point_at(meanwhile)
        reason = "passed: better" if passed else "not passed: worse"
        return version, promotions.decide(version, kind, passed, reason, {"gain": 0.5, "empty": float("nan")})

    def roles(self) -> list[str]:
        """Return the roles of the versions' runs, oldest first."""
        versions = sorted(self.tracking.versions(self.model), key=lambda version: version.number)
        return [self.client.get_run(version.run_id).data.tags["role"] for version in versions]

    def point_at(self, version: Version) -> None:
        """Move the alias as a person does."""
        self.client.set_registered_model_alias(self.model, "champion", str(version.number))

    def champion(self) -> int:
        found = self.tracking.find_champion(self.model, DAYS[-1])
        assert found is not None
        return found.number

    def record(self) -> list[tuple[object, ...]]:
        columns = ["version", "previous_version", "kind", "verdict"]
        return (
            Warehouse(self.settings, "ml")
            .read_view("ops.promotions", {"model": self.model}, columns, ["promotion_id"])
            .rows()
        )


@pytest.fixture(scope="module")
def tracked(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with one MLflow store for all tests; its artifacts lie in the working directory."""
    home = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield settings.model_copy(update={"tracking": TrackingSettings(uri=f"sqlite:///{home / 'mlflow.db'}")})


@pytest.fixture
def desk(tracked: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """A desk with a registered model of its own, named after the test."""
    (tmp_path / "trees.txt").write_text("tree")
    return Desk(tracked, tmp_path, request.node.name)


def test_every_judgement_is_a_row_refusals_too_and_a_tag_of_run_and_version(desk: Desk) -> None:
    first, won = desk.submit("a", DAYS[0], kind="first")
    second, lost = desk.submit("b", DAYS[1], passed=False)
    assert (won.verdict, lost.verdict) == ("promoted", "refused")
    assert desk.record() == [(1, None, "first", "promoted"), (2, 1, "challenger", "refused")]
    assert desk.champion() == first.number
    runs = [desk.client.get_run(version.run_id).data.tags for version in (first, second)]
    assert [(tags["role"], tags["verdict"]) for tags in runs] == [("champion", "promoted"), ("challenger", "refused")]
    tagged = desk.client.get_model_version(desk.model, "2").tags
    assert (tagged["gate"], tagged["gate_reason"]) == ("failed", "not passed: worse")
    assert runs[1]["gate_reason"] == "not passed: worse"
    kept = Warehouse(desk.settings, "ml").read_view("ops.promotions", {"model": desk.model}).to_dicts()[0]
    assert (kept["metrics"], kept["reason"], kept["mlflow_run_id"]) == ('{"gain": 0.5}', "passed: better", first.run_id)


def test_the_record_is_only_added_to(desk: Desk) -> None:
    desk.submit("a", DAYS[0], kind="first")
    for statement in ("delete from ops.promotions", "update ops.promotions set verdict = 'refused'"):
        with (
            pytest.raises(DataError, match="permission denied"),
            Warehouse(desk.settings, "ml").transaction() as connection,
        ):
            connection.cursor().execute(statement)


def test_a_freeze_by_parameter_judges_and_records_but_promotes_nothing(desk: Desk) -> None:
    desk.submit("a", DAYS[0], kind="first")
    version, decision = desk.submit("b", DAYS[1], frozen=True)
    assert decision.verdict == "frozen" and "started with promotion frozen" in decision.reason
    assert desk.record()[-1] == (2, 1, "challenger", "frozen")
    assert desk.champion() == 1
    assert desk.client.get_model_version(desk.model, str(version.number)).tags["gate"] == "frozen"


def test_a_freeze_by_tag_of_the_model_holds_until_the_tag_is_gone(desk: Desk) -> None:
    desk.submit("a", DAYS[0], kind="first")
    desk.client.set_registered_model_tag(desk.model, "freeze_promotion", "true")
    assert desk.submit("b", DAYS[1])[1].verdict == "frozen"
    desk.client.delete_registered_model_tag(desk.model, "freeze_promotion")
    assert desk.submit("b", DAYS[2])[1].verdict == "promoted"


def test_what_a_person_rolled_back_stays_back_while_another_recipe_may_win(desk: Desk) -> None:
    good, _ = desk.submit("a", DAYS[0], kind="first")
    bad, _ = desk.submit("b", DAYS[1])
    desk.point_at(good)
    _, decision = desk.submit("b", DAYS[2])
    assert decision.verdict == "held" and "version 2, made by the same recipe, was rolled back" in decision.reason
    assert desk.record()[2:] == [(1, 2, "rollback", "noted"), (3, 1, "challenger", "held")]
    assert desk.champion() == good.number
    assert desk.submit("a", DAYS[3], kind="refresh")[1].verdict == "promoted"
    assert desk.submit("b", DAYS[4])[1].verdict == "held"
    assert desk.submit("c", DAYS[5])[1].verdict == "promoted"
    desk.client.delete_model_version_tag(desk.model, str(bad.number), "rolled_back")
    assert desk.submit("b", DAYS[6])[1].verdict == "promoted"


def test_a_recipe_written_before_a_parameter_was_known_is_held_too(desk: Desk) -> None:
    """Here a recipe is followed without the spaces around it."""
    good, _ = desk.submit("a", DAYS[0], kind="first")
    desk.submit(" b ", DAYS[1])
    desk.point_at(good)
    assert desk.submit("b", DAYS[2])[1].verdict == "held"


def test_versions_that_say_no_recipe_are_not_taken_for_alike(desk: Desk) -> None:
    good, _ = desk.submit("a", DAYS[0], kind="first")
    desk.submit(None, DAYS[1])
    desk.point_at(good)
    assert desk.submit(None, DAYS[2])[1].verdict == "promoted"


def test_a_move_by_a_person_while_a_version_is_trained_is_recorded_and_stands(desk: Desk) -> None:
    good, _ = desk.submit("a", DAYS[0], kind="first")
    desk.submit("b", DAYS[1])
    _, decision = desk.submit("c", DAYS[2], meanwhile=good)
    assert decision.verdict == "held"
    assert "a person moved the alias to version 1 while this was trained and judged" in decision.reason
    assert desk.champion() == good.number
    assert desk.record()[2:] == [(1, 2, "rollback", "noted"), (3, 1, "challenger", "held")]
    assert desk.submit("c", DAYS[3])[1].verdict == "promoted", "judged against the champion that stands now"


def test_a_run_that_dies_between_the_alias_and_the_record_is_not_taken_for_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.submit("a", DAYS[0], kind="first")
    with monkeypatch.context() as patch:
        patch.setattr(Promotions, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.submit("b", DAYS[10])
    again = desk.promotions()
    for _ in range(2):
        again.notice_moves()
    assert desk.record()[1:] == [(2, 1, "challenger", "promoted")]
    assert desk.roles() == ["former_champion", "champion"]
    champion = desk.tracking.pointed_at(desk.model)
    assert champion is not None and not again.is_due(champion, every_days=100)


def test_a_run_that_dies_before_the_alias_is_due_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    champion, _ = desk.submit("a", DAYS[0], kind="first")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.submit("b", DAYS[10])
    desk.promotions().notice_moves()
    assert desk.promotions().is_due(champion, every_days=100)
    assert desk.submit("b", DAYS[10])[1].verdict == "promoted"
    assert [row[0] for row in desk.record()] == [1, 3]


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_the_run_of_one_version_is_the_champions_whoever_moved_the_alias(desk: Desk) -> None:
    good, _ = desk.submit("a", DAYS[0], kind="first")
    refused, _ = desk.submit("b", DAYS[1], passed=False)
    desk.submit("c", DAYS[2])
    assert desk.roles() == ["former_champion", "challenger", "champion"]
    for version, roles in (
        (good, ["champion", "challenger", "former_champion"]),
        (refused, ["former_champion", "champion", "former_champion"]),
    ):
        desk.point_at(version)
        desk.promotions().notice_moves()
        assert desk.roles() == roles


def test_a_refresh_that_was_rolled_back_is_not_refreshed_again(desk: Desk) -> None:
    old, _ = desk.submit("a", DAYS[0], kind="first")
    desk.submit("a", DAYS[1], kind="refresh")
    desk.point_at(old)
    assert desk.submit("a", DAYS[2], kind="refresh")[1].verdict == "held"
    assert desk.champion() == old.number
    assert [row[2] for row in desk.record()] == ["first", "refresh", "rollback", "refresh"], "noted once"


def test_a_version_that_was_rolled_back_serves_no_past_day(desk: Desk) -> None:
    first, _ = desk.submit("a", DAYS[0], kind="first")
    second, _ = desk.submit("b", DAYS[2])
    third, _ = desk.submit("c", DAYS[4])
    desk.point_at(second)
    desk.promotions().notice_moves()
    desk.point_at(first)
    desk.promotions().notice_moves()
    assert {v.number for v in desk.tracking.versions(desk.model) if v.is_rolled_back} == {second.number, third.number}
    found = desk.tracking.find_champion(desk.model, DAYS[5])
    assert found is not None and found.number == first.number


def test_a_person_may_take_the_rollback_back(desk: Desk) -> None:
    good, _ = desk.submit("a", DAYS[0], kind="first")
    bad, _ = desk.submit("b", DAYS[1])
    desk.point_at(good)
    desk.promotions().notice_moves()
    desk.point_at(bad)
    desk.promotions().notice_moves()
    assert desk.record()[-1] == (2, 1, "by_hand", "noted")
    assert desk.champion() == bad.number
    assert desk.submit("b", DAYS[2], kind="refresh")[1].verdict == "promoted"


def test_a_backfill_passes_without_taking_the_alias(desk: Desk) -> None:
    late, _ = desk.submit("a", DAYS[5], kind="first")
    _, decision = desk.submit("a", DAYS[1], kind="refresh")
    assert decision.verdict == "outdated"
    desk.promotions().notice_moves()
    assert [row[3] for row in desk.record()] == ["promoted", "outdated"]
    assert desk.champion() == late.number


def test_what_was_judged_lately_is_not_due_whoever_won(desk: Desk) -> None:
    champion, _ = desk.submit("a", DAYS[6], kind="first")
    assert desk.promotions().is_due(champion, every_days=28)
    desk.submit("b", date(2017, 11, 20), passed=False)
    assert not desk.promotions().is_due(champion, every_days=28)
    assert desk.promotions().is_due(champion, every_days=11)
