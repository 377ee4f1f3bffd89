"""The one settings object; the only place that reads the environment.

A field ``warehouse.port`` is set by ``BUNDLES_WAREHOUSE__PORT``. Passwords stay ``SecretStr`` so that no
log line or traceback shows them.
"""

import hashlib
from datetime import date
from pathlib import Path
from typing import Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ml.errors import ConfigError

Role = Literal["loader", "ml", "publisher", "analyst", "transformer"]
HORIZON_DAYS = 28
REPOSITORY = Path(__file__).resolve().parent.parent


class WarehouseSettings(BaseModel):
    """Where Postgres is, and the password of each role."""

    host: str = "127.0.0.1"
    port: int = 5432
    database: str = "shop"
    loader_password: SecretStr = SecretStr("")
    ml_password: SecretStr = SecretStr("")
    publisher_password: SecretStr = SecretStr("")
    analyst_password: SecretStr = SecretStr("")
    transformer_password: SecretStr = SecretStr("")

    def password(self, role: Role) -> str:
        """Return the password of ``role``.

        Raises
        ------
        ConfigError
            When the environment does not give it.
        """
        secret: SecretStr = getattr(self, f"{role}_password")
        if not secret.get_secret_value():
            raise ConfigError(f"BUNDLES_WAREHOUSE__{role.upper()}_PASSWORD is not set; start the stack with `make up`")
        return secret.get_secret_value()


class TrackingSettings(BaseModel):
    """Where MLflow is."""

    uri: str = "http://127.0.0.1:5000"


class DbtSettings(BaseModel):
    """Where the dbt project lies and where its artifacts go."""

    project_dir: Path = REPOSITORY / "dbt_project"
    target_dir: Path = REPOSITORY / "dbt_project" / "target"


class SourceSettings(BaseModel):
    """What a source needs beyond the run's form."""

    name: Literal["complete_journey", "folder", "online_retail", "simulated_shop"] = Field(
        "complete_journey", description="Source of the runs that name none: those of the clock."
    )
    folder: Path | None = Field(None, description="Directory in the raw contract, for source `folder`.")
    online_retail: Path | None = Field(None, description="Workbook, Parquet or CSV export, for source `online_retail`.")
    quarantine_limit_share: float = Field(0.05, ge=0, le=1, description="Above it a delivery is refused whole.")
    refuses_unknown_columns: bool = Field(False, description="Refuse a file with a column the contract does not know.")
    requires_manifest: bool = Field(
        False, description="Read a folder only when its manifest.csv is there, and only the files that it names."
    )
    time_zone: str = Field(
        "UTC", description="Zone of instants without an offset; `required`: such a record is quarantined."
    )
    late_limit_days: int | None = Field(
        None,
        ge=1,
        description="Facts older than the as-of date by more are quarantined, where their table was loaded before."
        " None: late facts are taken however old.",
    )
    largest_file_mb: int = Field(2048, ge=1, description="Larger files, unpacked, are refused.")
    simulated_customers: int = Field(200, ge=1)
    simulated_products: int = Field(60, ge=2)
    simulated_days: int = Field(120, ge=8, description="History before the first as_of of the simulated shop.")

    @field_validator("late_limit_days", mode="before")
    @classmethod
    def _nothing_is_no_limit(cls, days: object) -> object:
        # The services pass on what was not set as an empty text.
        return None if days == "" else days

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        if zone not in ("required", *available_timezones()):
            raise ValueError(f"time_zone: {zone!r} is neither `required` nor a zone such as Europe/Berlin")
        return zone


class FreshnessSettings(BaseModel):
    """How old the newest order may be, and how many days may lack before it."""

    max_age_days: int = Field(3, ge=0)
    max_missing_days: int = Field(1, ge=0, description="Days without orders among the last 28 on which the shop sells.")
    closed_days: tuple[date, ...] = Field((), description="Days on which the shop was shut, as a JSON list.")


class AlertSettings(BaseModel):
    """Who is told of incidents, beside ``ops.incidents``; nobody where nothing is set."""

    webhook: SecretStr = Field(SecretStr(""), description="Address that takes a POST of JSON with a field `text`.")
    mail_to: str = ""
    mail_from: str = "bundles@localhost"
    mail_host: str = "127.0.0.1"
    mail_port: int = 25


class PreferenceSettings(BaseModel):
    """Training of the preference model."""

    retrain_after_days: int = Field(28, ge=1)
    holdout_days: int = Field(28, ge=1)
    horizon: Literal["next_basket", "next_28_days"] = Field(
        "next_basket",
        description="What P is about. Joint probabilities of bundles are those of one basket: leave it for them.",
    )
    min_customer_baskets: int = Field(8, ge=2, description="Customers with fewer are not in training or metrics.")
    trees: int = Field(250, ge=1, description="At most; fewer where the validation stops improving.")
    learning_rate: float = Field(0.05, gt=0)
    leaves: int = Field(31, ge=2)
    min_leaf_rows: int = Field(200, ge=1)
    l2: float = Field(5.0, ge=0)
    row_share: float = Field(0.7, gt=0, le=1, description="Rows drawn for each tree.")
    feature_share: float = Field(0.5, gt=0, le=1, description="Features drawn for each tree.")
    target_baskets: int = Field(3, ge=1)
    kind: str = Field("ranker", description="Kind of model that is trained to become the champion.")
    compared: tuple[str, ...] = Field(
        (
            "global_popularity",
            "personal_frequency",
            "personal_decayed",
            "two_tower_additive",
            "tifu_knn",
            "dense_network",
        ),
        description="Kinds that stand beside it; add `transformer`, `gru` or `lstm` for minutes more, where torch is.",
    )
    gate_windows: int = Field(3, ge=1, description="Windows of `holdout_days` in which champion and candidate meet.")

    @model_validator(mode="after")
    def _holdout_covers_the_horizon(self) -> Self:
        if self.horizon == "next_28_days" and self.holdout_days < HORIZON_DAYS:
            raise ValueError(f"holdout_days: got {self.holdout_days}, next_28_days needs at least {HORIZON_DAYS}")
        return self


class SequenceSettings(BaseModel):
    """Size of the sequence models (`transformer`, `gru`, `lstm`) and how they learn."""

    dimensions: int = Field(64, ge=2, multiple_of=2, description="Width of the network.")
    layers: int = Field(2, ge=1)
    epochs: int = Field(4, ge=1, description="At most; fewer where the validation stops improving.")
    optimizer: Literal["adam", "rmsprop"] = "adam"
    learning_rate: float = Field(0.003, gt=0)


class AssociationSettings(BaseModel):
    """Counting of pairs."""

    shrinkage: float = Field(5.0, gt=0, description="Added to count and expectation of each pair.")
    min_pair_baskets: int = Field(5, ge=1)
    sentences: bool = Field(False, description="The graph reads titles by the sentence model: minutes, if installed.")


class CandidateSettings(BaseModel):
    """How many candidates enter the optimizer for each customer."""

    per_customer: int = Field(140, ge=2)
    popular: int = Field(120, ge=1)
    co_purchased: int = Field(60, ge=0)
    new: int = Field(20, ge=0, description="Products that are offered without evidence of their own, as they are new.")


class OptimizerSettings(BaseModel):
    """What a run's form does not ask."""

    catalogue_sample: int = Field(50, ge=0, description="Customers whose bundle is checked against the catalogue.")
    bootstrap_draws: int = Field(1000, ge=100)
    max_nodes: int = Field(200_000, ge=1, description="Cap on the proof of one bundle; the rest shows as a gap.")


class Settings(BaseSettings):
    """Everything that is configured from outside, made once at the start of a process."""

    model_config = SettingsConfigDict(env_prefix="BUNDLES_", env_nested_delimiter="__", extra="ignore")

    warehouse: WarehouseSettings = WarehouseSettings()
    tracking: TrackingSettings = TrackingSettings()
    dbt: DbtSettings = DbtSettings()
    source: SourceSettings = SourceSettings()
    freshness: FreshnessSettings = FreshnessSettings()
    alerts: AlertSettings = AlertSettings()
    preference: PreferenceSettings = PreferenceSettings()
    sequence: SequenceSettings = SequenceSettings()
    association: AssociationSettings = AssociationSettings()
    candidates: CandidateSettings = CandidateSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    min_product_baskets: int = Field(50, ge=1, description="Products in fewer baskets enter no model and no bundle.")
    threads: int = Field(2, ge=1, description="Threads of one stage: one per core in all.")
    git_commit: str = Field("unknown", description="Commit of the running code; the image or the stack sets it.")
    lock_sha256: str = Field(
        default_factory=lambda: hashlib.sha256((REPOSITORY / "requirements.txt").read_bytes()).hexdigest(),
        description="SHA-256 of the lock file of the checkout; torch and the deep models' libraries are not in it.",
    )
