"""Commands for whoever runs an installation: what it holds, its data as files, whether it is well.

Here belong questions to an installation from outside; none needs a running platform, none changes data.
"""
