"""History over many machines: Dagster's Celery executor, its workers, and what becomes of one that is gone.

Nothing here is imported unless VP_BROKER_URL is set: Celery and redis come with the extra `cluster` alone.
"""
