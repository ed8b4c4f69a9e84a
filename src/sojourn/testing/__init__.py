"""Sojourn in other people's tests: a running server, a client, and functions that are gone after the test.

`plugin` is what pytest finds by its entry point, and the only module that imports pytest. `local` starts and ends the
server, for other test frameworks too; `child` is what runs in its process. This file imports nothing, because every
run of pytest loads it.
"""
