"""The work of the bundle pipeline: sources, models, optimizer, scenarios, evaluation and the stages that join them."""

import os

# Groups would be summed in parts by whichever thread comes first, so that the last digits of a sum of floats, and with
# them a rank or a tie, would differ between two runs over the same rows. Polars reads this at each grouping.
os.environ.setdefault("POLARS_NO_PARTITION", "1")
