"""How each scenario is judged against the rule that a shop uses today, by the scenario's name."""

from collections.abc import Callable, Mapping

from ml.scenarios.bundle_sale import evaluation as bundle_sale
from ml.scenarios.cross_category import evaluation as cross_category
from ml.scenarios.customer_care import evaluation as customer_care
from ml.scenarios.ground import Ground
from ml.scenarios.judged import Judged
from ml.scenarios.launch import evaluation as launch
from ml.scenarios.replenishment import evaluation as replenishment

EVALUATIONS: Mapping[str, Callable[[Ground], list[Judged]]] = {
    "bundle_sale": bundle_sale.evaluate,
    "cross_category": cross_category.evaluate,
    "replenishment": replenishment.evaluate,
    "customer_care": customer_care.evaluate,
    "launch": launch.evaluate,
}
