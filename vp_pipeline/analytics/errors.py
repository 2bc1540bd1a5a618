"""What the analytics can refuse.

Here belong the errors a caller may want to tell apart; wrong arguments are plain ValueErrors.
"""


class NotEnoughData(ValueError):  # noqa: N818  # names the situation, as callers log it and go on
    """The input is well-formed but holds too little for the result; the message says what is lacking."""
