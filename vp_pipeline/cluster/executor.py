"""Dagster's Celery executor with steps that survive their workers.

Here belongs what dagster-celery is told; its loop submits steps, waits for them and passes their events on.
"""

from collections.abc import Iterator
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from dagster import DagsterEvent, Executor, ExecutorDefinition, InitExecutorContext, executor
from dagster import multiple_process_executor_requirements as requirements
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster_celery.config import TASK_EXECUTE_PLAN_NAME
from dagster_celery.core_execution_loop import core_celery_execution_loop

# Private to dagster-celery: how a step becomes a message.
from dagster_celery.executor import CeleryExecutor, _submit_task

from vp_pipeline.cluster.app import OPTIONS
from vp_pipeline.cluster.steps import Step


class ClusterExecutor(CeleryExecutor):
    """Steps go to whichever worker is free; one whose worker is gone goes to another."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """The events of the run."""
        yield from core_celery_execution_loop(plan_context, execution_plan, step_execution_fn=_submit)


def _submit(
    app: Celery,
    context: PlanOrchestrationContext,
    step: ExecutionStep,
    queue: str,
    priority: int,
    known_state: Any,
) -> Step:
    def send() -> AsyncResult:
        # dagster-celery makes the task anew for each step, which Celery takes for a mistake.
        app.tasks.pop(TASK_EXECUTE_PLAN_NAME, None)
        return _submit_task(app, context, step, queue, priority, known_state)

    return Step(app, send, context.for_step(step).log.warning)


def cluster_executor(broker: str) -> ExecutorDefinition:
    """The executor on this Redis, whose address stays out of every run's configuration."""

    @executor(name="cluster", requirements=requirements())
    def cluster(_context: InitExecutorContext) -> Executor:
        return ClusterExecutor(RetryMode.DISABLED, broker, broker, config_source=OPTIONS)

    return cluster
