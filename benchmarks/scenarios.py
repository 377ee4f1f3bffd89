"""How each scenario does against the rule that a shop uses today, on days it has not seen or where the truth is known.

Rows are ``scenarios/<scenario>/<kpi>`` with peer and 95 % interval; where the data come from stands in each module
``benchmarks.scenario_<scenario>``. Personal bundles are judged by :mod:`benchmarks.bundles`.

Run as ``python -m benchmarks.scenarios [--quick] --json FILE``.
"""

import sys
import time
from collections.abc import Callable, Mapping

from benchmarks import (
    scenario_bundle_sale,
    scenario_cross_category,
    scenario_customer_care,
    scenario_launch,
    scenario_replenishment,
)
from benchmarks.report import Row, arguments, write_report

ROWS: Mapping[str, Callable[[bool], list[Row]]] = {
    "cross_category": scenario_cross_category.rows,
    "bundle_sale": scenario_bundle_sale.rows,
    "replenishment": scenario_replenishment.rows,
    "launch": scenario_launch.rows,
    "customer_care": scenario_customer_care.rows,
}


def main() -> None:
    """Judge each scenario and report."""
    options = arguments(__doc__)
    rows: list[Row] = []
    for scenario, judged in ROWS.items():
        started = time.process_time()
        rows += judged(options.quick)
        print(f"{scenario}: {time.process_time() - started:.0f} CPU s", file=sys.stderr, flush=True)
    write_report("scenarios", "Complete Journey and simulated shops; see each scenario's module", rows, options.json)


if __name__ == "__main__":
    main()
