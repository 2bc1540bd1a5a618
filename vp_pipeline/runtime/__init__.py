"""Starting, watching and stopping the platform's processes, and running the main job through Dagster.

What runs in the processes is elsewhere; the process that supervises them stays small, so that nothing
here imports Dagster, ccxt or the analytics.
"""
