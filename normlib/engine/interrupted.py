"""What a stopped run raises."""

from normlib.errors import NormlibError


class Interrupted(NormlibError):  # noqa: N818 - a stop that was asked for is no error
    """The run was asked to stop; its checkpoint lets it go on with the result it would have had."""
