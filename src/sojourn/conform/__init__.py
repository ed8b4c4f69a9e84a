"""The conformance kit: what Function Compute does with tasks, as checks that can be run against any endpoint.

An outside observer: it speaks HTTP with a key, makes functions of its own, looks at what comes of them, and takes them
away again. It knows nothing of how this server works inside (import-linter holds it to that), so it can be pointed at
the cloud as well. A check says what is expected, how that was established, and asks (`check`, `checks`); a generation
says how each thing is spelled (`generations`); `site` is where the checks of one run happen, `run` runs them, `report`
tells what came of it.
"""
