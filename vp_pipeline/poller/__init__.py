"""Between ticks: a small process that asks the lead markets for their last minutes, again and again.

Nothing here computes or keeps anything: what it stores is provisional, and gone when a tick has the minutes.
It imports neither Dagster nor pandas, and of ccxt the leads' exchanges alone.
"""
