"""Exceptions that other parts of the program react to."""


class SegueError(ValueError):
    """Error that the user can correct; its message is one sentence with the next step.

    The command line prints the message and exits with code 2; the window shows it in its message
    line. Any other exception is a bug.
    """


class BlockPendingError(SegueError):
    """The next block of an engine elsewhere has not come yet; the stream is unchanged."""


class PlaceLostError(SegueError):
    """An engine elsewhere forgot where the stream was; the stream goes on from another place."""
