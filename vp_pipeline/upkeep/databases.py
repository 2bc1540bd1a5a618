"""Which two databases an installation has.

Here belong their names and how one is found from the other. `DAGSTER` and `OWN` name them in a backup too.
"""

from vp_pipeline.upkeep.servers import beside, plain

DAGSTER, OWN = "dagster", "vp"


def addresses(own: str, dagster: str | None) -> dict[str, str]:
    """Addresses by name, as libpq takes them; Dagster's is beside ours unless said otherwise.

    Dagster's comes first: what is made during a backup is then in the data, and only the history lacks it.
    """
    return {DAGSTER: plain(dagster) if dagster else beside(own, DAGSTER), OWN: own}
