"""Commands on files of one's own: profiles, volatility and sessions of candles, and more.

Here belong reading such files and printing what the analytics make of them; nothing here touches Dagster,
Postgres or the network. Arrows one way: own_data -> figures -> analytics.
"""
