"""A local stand-in for the exchanges: their wire formats over simulated or recorded candles."""
