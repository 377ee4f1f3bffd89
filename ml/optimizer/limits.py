"""The constraints of a run, checked when they are made."""

from dataclasses import dataclass

from ml.errors import ConfigError
from ml.optimizer.rules import IS_ANCHOR, IS_NEW, IS_RULED, IS_WANTED, LARGEST_SIZE, NO_BUDGET, Rules


@dataclass(frozen=True)
class Limits:
    """What a bundle must keep to.

    Attributes
    ----------
    min_size, max_size
        How many different products, 2 to 8.
    min_price_cents, budget_cents
        Lowest and highest sum of prices; None for no highest.
    min_margin_cents
        Lowest sum of margins; None for no floor. A product of unknown margin is not offered where there is one.
    max_per_category
        At most this many products of one category.
    min_categories
        At least this many different categories.
    needs_anchor, needs_wanted, needs_ruled, needs_new
        At least one product is an anchor; belongs to the must-include group; to that of the merchandiser's rules; was
        never bought by the customer.
    complements_only
        No two products that are substitutes for each other.
    cost_per_product
        Subtracted from the value for each product shown, in the unit of the objective.
    min_joint_probability
        A bundle less likely than this to be bought whole is not offered.
    max_overlap
        At most this many products in common with an earlier bundle of the same slate.

    Raises
    ------
    ConfigError
        When a value is out of range, or two contradict each other whatever the candidates.
    """

    min_size: int = 2
    max_size: int = 3
    min_price_cents: int = 0
    budget_cents: int | None = None
    min_margin_cents: int | None = None
    max_per_category: int = 1
    min_categories: int = 1
    needs_anchor: bool = False
    needs_wanted: bool = False
    needs_ruled: bool = False
    needs_new: bool = False
    complements_only: bool = False
    cost_per_product: float = 0.0
    min_joint_probability: float = 0.0
    max_overlap: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.min_size <= self.max_size <= LARGEST_SIZE:
            raise ConfigError(
                f"bundle sizes {self.min_size} to {self.max_size}: a bundle holds 2 to {LARGEST_SIZE} products"
            )
        if self.budget_cents is not None and self.budget_cents < 1:
            raise ConfigError(f"budget_cents: got {self.budget_cents}, must be at least 1 or empty")
        if not 0 <= self.min_price_cents <= (NO_BUDGET if self.budget_cents is None else self.budget_cents):
            raise ConfigError(f"min_price_cents: got {self.min_price_cents}, must be 0 to the budget")
        if self.max_per_category < 1:
            raise ConfigError(f"max_per_category: got {self.max_per_category}, must be at least 1")
        if not 1 <= self.min_categories <= self.max_size:
            raise ConfigError(f"min_categories: got {self.min_categories}, must be 1 to the largest size")
        if not self.cost_per_product >= 0 or not 0 <= self.min_joint_probability <= 1:
            raise ConfigError(
                f"cost_per_product {self.cost_per_product} must be >= 0, "
                f"min_joint_probability {self.min_joint_probability} within 0 and 1"
            )
        if not 0 <= self.max_overlap < self.min_size:
            raise ConfigError(f"max_overlap: got {self.max_overlap}, must be 0 to less than the smallest size")

    def rules(self) -> Rules:
        """Return the limits as numbers for compiled code."""
        return Rules(
            self.min_size,
            self.max_size,
            self.min_price_cents,
            NO_BUDGET if self.budget_cents is None else self.budget_cents,
            self.min_margin_cents or 0,
            self.min_margin_cents is not None,
            self.max_per_category,
            self.min_categories,
            IS_ANCHOR * self.needs_anchor
            + IS_WANTED * self.needs_wanted
            + IS_RULED * self.needs_ruled
            + IS_NEW * self.needs_new,
            self.complements_only,
            self.min_joint_probability,
            self.max_overlap,
        )
