"""The databases a server can keep its state in: one folder each, all passing the same conformance suite."""
