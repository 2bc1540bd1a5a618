"""Figures and HTML documents from the results of the analytics.

Here belong pictures, for stored artifacts and the website alike; computing what they show does not.
"""
