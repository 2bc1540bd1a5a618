"""Which two databases an installation has.

Here belong their names and how one is found from the other. `DAGSTER` and `OWN` name them in a backup too.
"""

from pydantic import SecretStr

from vp_pipeline.storage.address import plain
from vp_pipeline.upkeep.servers import beside

DAGSTER, OWN = "dagster", "vp"


def addresses(own: str, dagster: SecretStr | str | None) -> dict[str, str]:
    """Addresses by name, as libpq takes them; Dagster's is beside ours unless said otherwise.

    Dagster's comes first: what is made during a backup is then in the data, and only the history lacks it.
    """
    given = dagster.get_secret_value() if isinstance(dagster, SecretStr) else dagster
    return {DAGSTER: plain(given) if given else beside(own, DAGSTER), OWN: own}
