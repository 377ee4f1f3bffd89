"""The one door to MLflow: runs, registered models, champions.

While a model trains, tracking is best effort: a lost metric is counted and warned about, never fatal.
"""

import os

# Two retries: a dead server costs seconds, not the minutes of the default (seven, with growing waits). MLflow reads
# these while it is imported, so they stand above the imports.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from ml.tracking.registry import Tracking
from ml.tracking.runs import Run

__all__ = ["Run", "Tracking"]
