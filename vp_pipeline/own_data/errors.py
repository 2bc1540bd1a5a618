"""What the commands on files refuse.

Here belongs the error a user sees: one sentence on standard error and exit code 1. Wrong options are
click's usage errors, exit code 2.
"""

import click


class DataFileError(click.ClickException):
    """The file cannot be used; the message says which, where and what to do."""
