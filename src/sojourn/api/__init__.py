"""The doors over HTTP: one dialect per API version, all of them over the same few commands of the loops."""
