"""The format of recorded candles on disk: which files count, what their columns mean, what is refused.

Here belongs reading and checking, and nothing of what is done with the candles: the sandbox serves them,
a replay derives its markets file from them, history loads them.
"""
