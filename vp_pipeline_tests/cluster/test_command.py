"""`vp worker`: what it refuses."""

import pytest
from click.testing import CliRunner

from vp_pipeline.cli import main

HERE = {"VP_DATABASE_URL": "postgresql://nobody@127.0.0.1/none"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "VP_BROKER_URL: not set: the Redis from which a worker has its work"),
        ({"VP_BROKER_URL": "redis://127.0.0.1:1/0"}, "VP_DAGSTER_DATABASE_URL: not set"),
        (
            {"VP_BROKER_URL": "amqp://geheim@127.0.0.1"},
            "VP_BROKER_URL: Value error, must begin with redis://",
        ),
    ],
)
def test_a_worker_without_its_variables_says_which(variables: dict[str, str], told: str) -> None:
    result = CliRunner().invoke(main, ["worker"], env={**HERE, **variables})
    assert result.exit_code == 1
    assert told in result.output
    assert "geheim" not in result.output
