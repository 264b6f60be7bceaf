"""What can go wrong in a real run."""

from advisor.foundation.errors import AdvisorError, InputError


class ToolMissing(InputError):
    """A program or library that this step needs is not installed, or is not one that it knows how to use."""


class RunFailed(AdvisorError):
    """A step did not end as it should; the text is the tool's own last line where there is one."""


class Cancelled(AdvisorError):
    """Somebody asked for the run to stop."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")
