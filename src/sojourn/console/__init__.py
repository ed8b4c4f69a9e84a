"""The console: pages for people, which ask the same API as every other client.

`routes` answers for it, `assets` holds what it sends, `static` is what runs in the browser. A page knows nothing that
its account could not ask for with its own key.
"""
