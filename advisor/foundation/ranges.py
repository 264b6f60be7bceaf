"""An estimate with its range: what every figure that is not exact is given as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """A low, a typical and a high value, in the unit of whatever it belongs to."""

    low: float
    typical: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise ValueError(f"not in order: {self.low} <= {self.typical} <= {self.high}")

    def scaled(self, factor: float) -> Range:
        """The same range times a factor that is not negative."""
        return Range(self.low * factor, self.typical * factor, self.high * factor)
