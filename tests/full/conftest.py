"""Runs at full scale end with the lines that later runs are compared with, whichever process they came from."""

from __future__ import annotations

import pytest

PROPERTY = "line"
"""A test of this folder records its line under this name."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    for report in reports:
        for name, line in getattr(report, "user_properties", ()):
            if name == PROPERTY and report.when == "call":
                terminalreporter.write_line(line)
