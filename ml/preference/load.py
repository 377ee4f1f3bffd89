"""Any saved preference model, by its kind."""

from importlib.util import find_spec
from pathlib import Path

from ml.errors import DataError
from ml.preference.baselines import GlobalPopularity, PersonalDecayed, PersonalFrequency
from ml.preference.contract import PreferenceModel, read_facts
from ml.preference.neighbours import ItemCosine, TifuKnn
from ml.preference.ranker import Ranker
from ml.preference.two_tower import TwoTowerAdditive

KINDS: dict[str, type[PreferenceModel]] = {
    model.kind: model
    for model in (
        Ranker,
        PersonalDecayed,
        PersonalFrequency,
        GlobalPopularity,
        TwoTowerAdditive,
        ItemCosine,
        TifuKnn,
    )
}
DEEP = ("transformer", "gru", "lstm")
if find_spec("torch"):  # a gigabyte that a shop without deep models does not need
    from ml.preference.sequence import Gru, Lstm, Transformer

    KINDS |= {model.kind: model for model in (Transformer, Gru, Lstm)}


def load_model(folder: Path) -> PreferenceModel:
    """Return the model saved in ``folder``.

    Raises
    ------
    DataError
        When its kind is unknown.
    """
    kind = read_facts(folder)["kind"]
    if kind in DEEP and kind not in KINDS:
        raise DataError(f"{folder}: a {kind} needs torch, which is not installed: pip install -r requirements-deep.txt")
    if kind not in KINDS:
        raise DataError(f"{folder}: unknown kind of preference model {kind!r}; known are {', '.join(sorted(KINDS))}")
    return KINDS[kind].load(folder)
