"""The page and its files: strict headers on every answer, small, kept, and without a way from text to markup."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from console.payloads import corpus
from console.visitor import Visitor
from sojourn import instance, task
from sojourn.access import Scope
from sojourn.console.assets import STATIC, Assets
from sojourn.explanation import Code

GZIPPED_BYTES_MAX = 200 * 1024
SCRIPTS = sorted(STATIC.glob("*.js"))
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|srcdoc")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/console", 200),
        ("GET", "/console/tasks?q=status:Failed", 200),
        ("GET", "/console/functions/f/tasks/t", 200),
        ("GET", "/console/session", 401),
        ("POST", "/console/session", 400),
        ("GET", "/console/assets/old/main.js", 404),
        ("GET", "/console/assets/../config.py", 200),
        ("PUT", "/console", 405),
        ("DELETE", "/console/session", 401),
    ],
)
def test_every_answer_is_strict(stranger: Visitor, method: str, path: str, status: int) -> None:
    """Also those that refuse: no inline script or style, no frame around it, no guessing, no referrer."""
    reply = stranger(method, path)
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))

    assert reply.status_code == status
    assert policy["default-src"] == "'none'"
    assert {policy[kind] for kind in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert {policy[kind] for kind in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert policy["require-trusted-types-for"] == "'script'"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_the_page_holds_no_script_and_no_style(stranger: Visitor) -> None:
    """Everything is a file of its own, as the policy demands, and nothing comes from elsewhere."""
    page = stranger("GET", "/console").text

    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    assert re.findall(r"(?:src|href)=\"(?!/console/assets/)", page) == []


def test_files_are_kept_for_ever_and_the_page_is_asked_for_again(stranger: Visitor) -> None:
    """A file's address changes with its content; an ETag spares the page."""
    page = stranger("GET", "/console")
    script = re.search(r'src="([^"]+)"', page.text)
    assert script is not None
    file = stranger("GET", script[1])

    assert "immutable" in file.headers["cache-control"]
    assert page.headers["cache-control"] == "no-cache"
    for reply in (page, file):
        assert reply.headers["content-encoding"] == "gzip"
        assert reply.headers["vary"] == "accept-encoding"
        again = stranger("GET", str(reply.url.path), headers={"if-none-match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    plain = stranger("GET", script[1], headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == (STATIC / "main.js").read_bytes()


def test_all_of_it_is_small() -> None:
    """What a browser is sent in all, compressed."""
    assert 10_000 < Assets().gzipped_bytes <= GZIPPED_BYTES_MAX


def test_every_module_is_there_and_comes_as_a_script(stranger: Visitor) -> None:
    """What a module imports exists, beside it."""
    version = Assets().version
    for script in SCRIPTS:
        reply = stranger("GET", f"/console/assets/{version}/{script.name}")
        assert (reply.status_code, reply.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        for name in re.findall(r'from "\./([\w.]+)"', script.read_text("utf-8")):
            assert (STATIC / name).is_file(), (script.name, name)
        assert gzip.compress(reply.content)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_of_text(script: object) -> None:
    """Text becomes text nodes; there is no other way in the whole console."""
    assert MARKUP.findall(script.read_text("utf-8")) == []  # type: ignore[attr-defined]  # a path


def test_the_search_for_markup_finds_it() -> None:
    """A search that finds nothing proves nothing until it has found something."""
    assert MARKUP.findall("node.innerHTML = text; eval(text)") == ["innerHTML", "eval("]


def words(language: str) -> dict[str, str]:
    """A dictionary as Python reads it: the file is JSON, but for the line that exports it and its last comma."""
    text = (STATIC / f"{language}.js").read_text("utf-8")
    found: dict[str, str] = json.loads(
        re.sub(r",\n};", "\n}", re.sub(r"^//.*$", "", text, flags=re.MULTILINE).replace("export default ", ""))
    )
    return found


def test_both_languages_say_everything() -> None:
    """The same keys, none of them empty, with the same values to be filled in."""
    english, chinese = words("en"), words("zh")

    assert list(english) == list(chinese)
    for key, text in english.items():
        assert chinese[key]
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[key])), key


def test_every_word_that_is_asked_for_is_there() -> None:
    """What a script asks for by its whole key is in the dictionary."""
    english = words("en")
    asked = {key for script in SCRIPTS for key in re.findall(r'\bt\("([\w.]+)"', script.read_text("utf-8"))}

    assert asked
    assert asked - set(english) == set()


def test_what_the_server_names_has_a_word() -> None:
    """Statuses of tasks and of instances, scopes, and everything that keeps a task from running."""
    kinds = {"status": task.Status, "instanceStatus": instance.Status, "scope": Scope, "explain": Code}
    english = words("en")

    assert [
        f"{kind}.{one.value}" for kind, every in kinds.items() for one in every if f"{kind}.{one.value}" not in english
    ] == []


def test_the_corpus_is_large_and_various() -> None:
    """At least two hundred texts, none twice."""
    found = corpus()

    assert len(found) >= 200
    assert len(set(found)) == len(found)
