"""A figure that is estimated, with how far off it may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """The least, the likely and the most that a figure may be; its unit is its user's."""

    low: float
    typical: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise ValueError(f"a range must rise from low to high, not {self.low}, {self.typical}, {self.high}")

    def scaled(self, factor: float) -> "Range":
        """The same range in another unit or under another factor, which must not be negative."""
        return Range(self.low * factor, self.typical * factor, self.high * factor)
