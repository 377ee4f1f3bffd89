"""Any saved preference model, by its kind."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ml.errors import DataError
from ml.preference.baselines import GlobalPopularity, PersonalDecayed, PersonalFrequency
from ml.preference.contract import PreferenceModel, read_facts
from ml.preference.dense import DenseNetwork
from ml.preference.lambdarank import Lambdarank
from ml.preference.neighbours import ItemCosine, TifuKnn
from ml.preference.ranker import Ranker
from ml.preference.two_tower import TwoTowerAdditive

KINDS: dict[str, type[PreferenceModel]] = {
    model.kind: model
    for model in (
        Ranker,
        Lambdarank,
        PersonalDecayed,
        PersonalFrequency,
        GlobalPopularity,
        TwoTowerAdditive,
        DenseNetwork,
        ItemCosine,
        TifuKnn,
    )
}
DEEP = {"transformer": "Transformer", "gru": "Gru", "lstm": "Lstm"}
"""Kinds that need torch, which is imported where one is asked for: it takes seconds that other models need not pay."""


def kind_of(name: str) -> type[PreferenceModel]:
    """Return the class of a kind of model.

    Raises
    ------
    DataError
        When the kind is unknown, or needs torch where there is none.
    """
    if name in KINDS:
        return KINDS[name]
    if name not in DEEP:
        raise DataError(f"unknown kind of preference model {name!r}; known are {', '.join(sorted({*KINDS, *DEEP}))}")
    if find_spec("torch") is None:
        raise DataError(f"a {name} needs torch, which is not installed: pip install -r requirements-deep.txt")
    model: type[PreferenceModel] = getattr(import_module("ml.preference.sequence"), DEEP[name])
    return model


def load_model(folder: Path) -> PreferenceModel:
    """Return the model saved in ``folder``.

    Raises
    ------
    DataError
        When its kind is unknown, or needs torch where there is none.
    """
    return kind_of(read_facts(folder)["kind"]).load(folder)
