"""The choices of language: how a configured runtime becomes an interpreter of this machine."""
