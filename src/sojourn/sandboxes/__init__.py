"""The choices of isolation: how processes of different accounts are kept apart on this machine."""
