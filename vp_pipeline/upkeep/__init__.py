"""What keeps an installation alive for years: backups, pruning, alerts.

Here belongs work on whole databases and messages to people, without Dagster: the assets and the sensor that
do it by schedule are in `assets`, the commands in `operations`.
"""
