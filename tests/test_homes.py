"""The mark of a data directory, by which what a server left running is found."""

from __future__ import annotations

from pathlib import Path

from sojourn.homes import mark_of


def test_a_mark_stays(tmp_path: Path) -> None:
    """The same at every start, and another one for another directory."""
    first, second = tmp_path / "first", tmp_path / "second"
    for each in (first, second):
        each.mkdir()

    assert mark_of(first) == mark_of(first)
    assert mark_of(first) != mark_of(second)
    assert [path.name for path in first.iterdir()] == ["mark"]


def test_half_a_mark_is_made_anew(tmp_path: Path) -> None:
    """An empty one, as a death could leave it, would be that of every directory."""
    (tmp_path / "mark").touch()
    (tmp_path / "mark.new").write_text("sojo")

    assert mark_of(tmp_path).startswith("sojourn-")
    assert mark_of(tmp_path) == (tmp_path / "mark").read_text().strip()
