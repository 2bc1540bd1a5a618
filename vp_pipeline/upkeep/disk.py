"""How much room an installation needs on its disk.

Here belongs the one figure; who looks says what to do.
"""

# In bytes. A year of two dozen markets with all that belongs to it is a few gigabytes.
LEAST_FREE = 2 * 10**9
