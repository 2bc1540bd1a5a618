"""A step that a worker executes, seen from the run that waits for it.

Here belongs what becomes of a step whose worker is gone: it is given to another. Celery itself would wait for
ever, since nobody reports a worker whose machine was switched off. A step that is executed again finds in
the ledger what is there, and one that is executed twice at once writes the same; so a worker that was
only out of reach does no harm.
"""

import time
from collections.abc import Callable
from typing import Any

from billiard.exceptions import WorkerLostError
from celery import Celery, states
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from vp_pipeline.cluster.app import QUEUE

# How often is asked who has the step, how long is waited for an answer, and after how long without one the
# step is taken for lost.
ASK_SECONDS = 2.0
ANSWER_SECONDS = 2.0
LOST_SECONDS = 10.0
# So many workers may be lost with a step before it is the step's fault.
ATTEMPTS = 4
# What passes when Redis is back.
_OUT_OF_REACH = (OperationalError, RedisConnectionError, RedisTimeoutError)
_AT_WORK = ("reserved", "active")


class Step:
    """Stands where dagster-celery's loop expects a task's result.

    `send` puts the step into the queue, `tell` gets what a person should know of it.
    """

    def __init__(self, app: Celery, send: Callable[[], AsyncResult], tell: Callable[[str], object]) -> None:
        self._app, self._send, self._tell = app, send, tell
        self._result: AsyncResult | None = None
        self._attempt, self._revoked = 0, False
        self._asked = self._seen = time.monotonic()
        self._told: set[str] = set()

    def ready(self) -> bool:
        """Whether `get` has something to return or to raise; gives the step to another worker if need be."""
        try:
            return self._ready()
        except _OUT_OF_REACH:
            # Nobody can tell how the workers are.
            self._seen = time.monotonic()
            self._tell_once("Redis is out of reach: the run waits for it, and what workers have goes on")
            return self._revoked

    def get(self) -> Any:
        """The step's events, serialized; raises what the task raised.

        Raises:
            TaskRevokedError: the run was ended, and the step with it.
            WorkerLostError: one worker after another was lost with it.
        """
        if self._result is not None and self._result.ready():
            return self._result.get()
        if self._revoked:
            raise TaskRevokedError("the run was ended before the step was")
        raise WorkerLostError(f"the step was lost {ATTEMPTS} times: see the log of its workers")

    def revoke(self) -> None:
        """Take the step out of the queue, or from the worker that has it."""
        self._revoked = True
        if self._result is not None:
            self._result.revoke(terminate=True)

    def _ready(self) -> bool:
        if self._revoked:
            return True
        if self._result is None:
            self._again()
            return False
        if self._result.ready():
            # What its worker says of a process that was killed, or that could not tell Redis what it has.
            crash = self._result.result
            crashed = isinstance(crash, (WorkerLostError, *_OUT_OF_REACH))
            return not (crashed and self._goes_on_elsewhere(f"its worker says: {crash}"))
        now = time.monotonic()
        if now < self._asked + ASK_SECONDS:
            return False
        self._asked = now
        if self._somebody_has(self._result):
            self._seen = time.monotonic()
        elif now - self._seen >= LOST_SECONDS:
            return not self._goes_on_elsewhere(f"no worker has said for {LOST_SECONDS:.0f} s that it has it")
        return False

    def _somebody_has(self, result: AsyncResult) -> bool:
        """Whether the step is in the queue or with a worker that answers."""
        destination = None
        if result.state == states.STARTED:
            destination = [result.info["hostname"]]
        elif self._queued():
            # It may be among them.
            if not self._app.control.ping(timeout=ANSWER_SECONDS, limit=1):
                self._tell_once("no worker answers: start one with `vp worker`")
            return True
        limit = None if destination is None else 1
        inspect = self._app.control.inspect(destination=destination, timeout=ANSWER_SECONDS, limit=limit)
        answers: dict[str, dict[str, Any]] = inspect.query_task(result.id) or {}
        return any(tasks.get(result.id, [""])[0] in _AT_WORK for tasks in answers.values())

    def _queued(self) -> int:
        """How many steps wait for a worker."""
        with self._app.connection_for_read() as connection:
            count: int = connection.default_channel.queue_declare(QUEUE).message_count
            return count

    def _goes_on_elsewhere(self, why: str) -> bool:
        """Whether the step is given to another worker; not for ever, as it may be what kills them."""
        if self._attempt == ATTEMPTS:
            return False
        lost = self._result
        self._again()
        self._tell(f"the step was lost, as {why}: another worker goes on from what is stored")
        if lost is not None:
            lost.revoke(terminate=True)
        return True

    def _again(self) -> None:
        self._result = self._send()
        self._attempt += 1
        self._asked = self._seen = time.monotonic()

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(what)
