"""The agent: what travels into a sandbox, makes instances there and speaks for them.

It stands alone: standard library only, Python 3.8 and newer, started with `python -I -S`, imports nothing else of
Sojourn. Three kinds of process run from this package. The *agent* holds the one channel to the host. A *zygote* per
interpreter has the runtime loaded and forks. An *instance* is such a fork, shut into namespaces of its own, with one
socket to the agent and one pipe for its output.
"""
