"""The scoring benchmark finds the trees it saved equal to those of LightGBM; the ablation names real groups."""

from benchmarks.ablation import NOT_IN_THE_DATA
from benchmarks.scoring import _speed
from ml.preference.features import GROUPS, features_of
from ml.preference.history import History
from ml.preference.ranker import Ranker, RankerParams
from tests.preference.conftest import World, world  # noqa: F401 - a fixture


def test_speed_is_reported_beside_lightgbm_and_the_answers_are_equal(world: World) -> None:  # noqa: F811
    model = Ranker(RankerParams(trees=9, patience=9)).fit(world.baskets, world.products, world.examples)
    rows = {
        row.name: row
        for row in _speed("ranker", model, features_of(History.of(world.baskets, world.products), world.examples))
    }
    assert rows["scoring/ranker/rows_per_cpu_second"].peer == "booster.predict"
    assert rows["scoring/ranker/largest_difference"].value == 0
    assert rows["scoring/ranker/trees"].value == model.rounds


def test_what_the_data_do_not_hold_is_a_group_of_features() -> None:
    assert set(NOT_IN_THE_DATA) < set(GROUPS)
