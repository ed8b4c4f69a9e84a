from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from sojourn.client import Refused, code_archive, zip_directory
from sojourn.client.archive import merged


def plant(root: Path, names: list[str]) -> Path:
    """A tree with these files, each holding its own name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def names_of(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_same_tree_same_bytes(tmp_path: Path) -> None:
    """Order of creation, times, owners' umasks and the place of the tree do not show in the archive."""
    one = plant(tmp_path / "one", ["index.py", "lib/a.py", "lib/b.py"])
    two = plant(tmp_path / "elsewhere" / "two", ["lib/b.py", "index.py", "lib/a.py"])
    (two / "index.py").chmod(0o600)
    os.utime(two / "index.py", (1_000_000_000, 1_000_000_000))

    assert zip_directory(one) == zip_directory(two)


def test_different_trees_differ(tmp_path: Path) -> None:
    """A changed byte, a changed name or a changed executable bit is another archive."""
    base = plant(tmp_path / "base", ["index.py", "run"])
    archives = {zip_directory(base)}
    (base / "run").chmod(0o755)
    archives.add(zip_directory(base))
    (base / "index.py").write_text("changed")
    archives.add(zip_directory(base))
    (base / "index.py").rename(base / "other.py")
    archives.add(zip_directory(base))

    assert len(archives) == 4


def test_ignores_caches_repositories_and_environments(tmp_path: Path) -> None:
    """What is never code stays at home, at any depth; a name that merely looks alike goes along."""
    wanted = ["git.py", "index.py", "lib/.venvy/x.py"]
    unwanted = ["__pycache__/a.pyc", "lib/__pycache__/b.pyc", ".git/HEAD", ".venv/bin/python", "lib/.venv/x"]
    plant(tmp_path, wanted + unwanted)

    assert names_of(zip_directory(tmp_path)) == wanted


def test_modes_are_kept_as_executable_or_not(tmp_path: Path) -> None:
    """An executable file arrives executable, all others as readable files."""
    plant(tmp_path, ["index.py", "run"])
    (tmp_path / "run").chmod(0o700)
    archive = zipfile.ZipFile(io.BytesIO(zip_directory(tmp_path)))

    assert {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()} == {
        "index.py": 0o100644,
        "run": 0o100755,
    }


@pytest.mark.parametrize("target", ["index.py", "lib", "nowhere"])
def test_symbolic_links_are_refused(tmp_path: Path, target: str) -> None:
    """A link, to a file, a directory or nothing, is refused by name instead of followed."""
    plant(tmp_path, ["index.py", "lib/a.py"])
    (tmp_path / "lib" / "link").symlink_to(tmp_path / target)

    with pytest.raises(Refused, match=r"lib/link.*|must not hold symbolic links.*lib/link") as caught:
        zip_directory(tmp_path)

    assert caught.value.status == 400
    assert "symbolic link" in str(caught.value)


def test_special_files_are_refused(tmp_path: Path) -> None:
    """A pipe would be read for ever."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(Refused, match="only files and directories"):
        zip_directory(tmp_path)


def test_names_must_be_unicode(tmp_path: Path) -> None:
    """A name that no zip can spell is refused, naming it."""
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py"))).write_text("x")

    with pytest.raises(Refused, match="valid Unicode"):
        zip_directory(tmp_path)


def test_an_empty_tree_is_refused(tmp_path: Path) -> None:
    """Nothing to run is a mistake in the path."""
    plant(tmp_path, [".git/HEAD"])

    with pytest.raises(Refused, match="at least one file"):
        zip_directory(tmp_path)


def test_code_is_a_directory_a_zip_or_bytes(tmp_path: Path) -> None:
    """All three forms of one tree are the same archive."""
    plant(tmp_path / "code", ["index.py"])
    archive = zip_directory(tmp_path / "code")
    (tmp_path / "code.zip").write_bytes(archive)

    assert code_archive(tmp_path / "code") == archive
    assert code_archive(str(tmp_path / "code.zip")) == archive
    assert code_archive(archive) == archive


@pytest.mark.parametrize("content", [b"", b"print('not a zip')", b"PK\x03\x04 truncated"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file or bytes that are no zip never leave this machine."""
    (tmp_path / "index.py").write_bytes(content)

    for code in (content, tmp_path / "index.py"):
        with pytest.raises(Refused, match="directory or a zip"):
            code_archive(code)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(Refused, match="nowhere"):
        code_archive(tmp_path / "nowhere")


def test_merged_archives_prefer_the_second(tmp_path: Path) -> None:
    """Where two trees hold a name, the second one's content and mode stand; the bytes are always the same."""
    packages = zip_directory(plant(tmp_path / "packages", ["lib/a.py", "six.py"]))
    own = plant(tmp_path / "own", ["index.py", "six.py"])
    (own / "six.py").write_text("mine")
    (own / "six.py").chmod(0o755)
    archive = zip_directory(own)
    whole = zipfile.ZipFile(io.BytesIO(merged(packages, archive)))

    assert whole.namelist() == ["index.py", "lib/a.py", "six.py"]
    assert whole.read("six.py") == b"mine"
    assert whole.getinfo("six.py").external_attr >> 16 == 0o100755
    assert merged(packages, archive) == merged(packages, archive)
