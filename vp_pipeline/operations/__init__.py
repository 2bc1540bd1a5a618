"""Commands for whoever runs an installation: what it holds, its data as files, whether it is well.

Here belong questions to an installation from outside, which change nothing in it, and what makes its
databases or copies them whole: backup, restore, migrate. None needs a running platform.
"""
