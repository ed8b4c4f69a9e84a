"""`python -m proof`: which parts it runs, what it prints, how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from proof.chaos.checker import CHECKS
from proof.chaos.plants import PLANTS
from proof.model import instances
from proof.model.guards import GUARDS
from proof.mutants import durable, lives  # each enters its mutants into the list
from proof.mutants import instances as instance_mutants
from proof.mutants.mutant import MUTANTS

from proof import parts
from sojourn.crashpoint import POINTS

ROOT = Path(__file__).resolve().parents[2]


def proof(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it at the root."""
    return subprocess.run(
        [sys.executable, "-m", "proof", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_part_prints_one_line() -> None:
    """And ends with 0 when all is well."""
    done = proof("--scale", "tiny", "instances")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("instances: ")
    assert done.stdout.count("\n") == 1


def test_a_part_that_fails_is_told(tmp_path: Path) -> None:
    """Its line says FAILED, what is wrong follows, and the exit status is 1."""
    script = (
        "import sys; from unittest import mock; from proof.model import instances; from proof.__main__ import main\n"
        "sys.argv = ['proof', 'instances', '--dir', sys.argv[1]]\n"
        "with instances.table_with(*instances.GUARDS['PreStop once']):\n"
        "    sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAILED instances: ")
    assert "\n    PreStop twice" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_parts_that_run_at_a_time_keep_their_lines_together(tmp_path: Path) -> None:
    """Each says what it says alone, with the options of all; where it keeps data nothing is left."""
    done = proof("--scale", "tiny", "--dir", str(tmp_path), "instances", "storage-faults")

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(line.partition(":")[0] for line in done.stdout.splitlines()) == ["instances", "storage faults"]
    assert list(tmp_path.iterdir()) == []


def test_one_part_of_several_that_fails_is_told() -> None:
    """The others are run all the same, whichever lane they are in."""
    script = (
        "import subprocess, sys\n"
        "from proof import lanes, parts\n"
        "parts.WAITING = frozenset({'instances'})\n"
        "sys.exit(lanes.run(['instances', 'storage-faults'], ['--scale', 'tiny', '--dir', '/nowhere/at/all']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stdout.count("FAILED") == 0
    assert done.stderr.count("FileNotFoundError") >= 2


def test_a_part_that_is_not_there_is_refused() -> None:
    """What there is is told; nothing is run."""
    unknown = proof("model", "nonsense")

    assert unknown.returncode == 2
    assert "there is no part 'nonsense'; there are model" in unknown.stderr
    assert unknown.stdout == ""


def test_the_page_of_guarantees_knows_every_part_and_invariant() -> None:
    """Each part that there is, how many guards it leaves out, and each invariant that anything can name."""
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    cells = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    sources = [ROOT / "src/sojourn/audit.py", *(ROOT / "proof/model").glob("*.py")]
    named = set(CHECKS) | {
        each for path in sources for each in re.findall(r"\b(I\d+) ", path.read_text(encoding="utf-8"))
    }

    assert {f"`{name}`" for name in parts.MODULES} <= set(cells)
    assert f"{len(GUARDS)}: " in cells["`model`"]
    assert f"{len(instances.GUARDS)}: " in cells["`instances`"]
    assert f" {len(POINTS)} named points" in cells["`crash-points`"]
    assert all((durable, instance_mutants, lives))
    assert f"{len(MUTANTS)}: " in cells["`mutants`"]
    assert f"{len(PLANTS)}: " in cells["`chaos`"]
    assert all("chaos" in cell for name in CHECKS for cells_of, cell in cells.items() if name in cells_of.split(", "))
    assert named <= {each for cell in cells for each in cell.split(", ")}
