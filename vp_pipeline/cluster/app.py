"""The Celery application that the run's process and the workers share.

Here belong its options and their reasons; what a step is and how it is executed is dagster-celery's affair.
"""

from typing import Any

from celery import Celery
from dagster_celery.config import DEFAULT_CONFIG, dict_wrapper
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

QUEUE = "dagster"
# So long Redis keeps a message that a worker took and neither began nor gave back.
_TAKEN_SECONDS = 60
# A Redis that answers no sooner is out of reach.
_ANSWER_SECONDS = 10
_DAY_SECONDS = 86_400

OPTIONS: dict[str, Any] = {
    **DEFAULT_CONFIG,
    # A step counts as begun when a worker begins it. Were it left in the queue until its end, Redis would
    # hand it out again after a time, however well the worker that has it is. `steps` looks after the worker.
    "task_acks_late": False,
    "task_track_started": True,
    # A worker takes a step when it is free, not one ahead that others could do.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "broker_transport_options": {"visibility_timeout": _TAKEN_SECONDS, "socket_keepalive": True},
    "broker_connection_retry_on_startup": True,
    # None: a worker looks for a Redis that is away until it is back.
    "broker_connection_max_retries": None,
    # What a worker is doing goes on meanwhile.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "redis_socket_timeout": _ANSWER_SECONDS,
    "redis_socket_connect_timeout": _ANSWER_SECONDS,
    "result_expires": _DAY_SECONDS,
    # What a step prints are Dagster's events, which Dagster has.
    "worker_redirect_stdouts_level": "DEBUG",
    # Memory that a month took and Python did not give back.
    "worker_max_tasks_per_child": 50,
}


def celery_app(broker: str) -> Celery:
    """A worker's application on this Redis, which holds queue and results alike, with the task of a step."""
    app = make_app({"broker": broker, "backend": broker, "config_source": dict_wrapper(OPTIONS)})
    # A worker that has done its work keeps the result until Redis is back.
    app.conf.result_backend_always_retry = True
    # A step's result are its events: no more than a word of them is for the worker's log.
    create_task(app, resultrepr_maxsize=20)
    return app
