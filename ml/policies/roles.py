"""What a run asks of products, for everybody: those of its form, and those of the merchandiser's rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Roles:
    """What is asked of each product of the shelf.

    Attributes
    ----------
    is_wanted, is_pinned, is_excluded
        (products,) belongs to the form's must-include group; is in every bundle; is in none.
    is_ruled
        (products,) belongs to the group of which the merchandiser's rules want one in every bundle.
    """

    is_wanted: Flags
    is_pinned: Flags
    is_excluded: Flags
    is_ruled: Flags

    @classmethod
    def of(
        cls, code: Mapping[str, int], must_include: Sequence[str], pinned: Sequence[str], exclude: Sequence[str]
    ) -> "Roles":
        """Return what a form asks; its products are all on the shelf."""
        return cls(_flags(code, must_include), _flags(code, pinned), _flags(code, exclude), np.zeros(len(code), bool))

    def ruled(
        self, code: Mapping[str, int], must_include: Sequence[str], pinned: Sequence[str], excluded: Sequence[str]
    ) -> "Roles":
        """Return these with what rules ask besides; what is not on the shelf is in no bundle anyway."""
        return replace(
            self,
            is_ruled=self.is_ruled | _flags(code, must_include),
            is_pinned=self.is_pinned | _flags(code, pinned),
            is_excluded=self.is_excluded | _flags(code, excluded),
        )

    def closing(self, is_closed: Flags) -> "Roles":
        """Return these with more products (products,) that no bundle holds."""
        return replace(self, is_excluded=self.is_excluded | is_closed)


def _flags(code: Mapping[str, int], product_ids: Sequence[str]) -> Flags:
    held = np.zeros(len(code), bool)
    held[[code[product] for product in product_ids if product in code]] = True
    return held
