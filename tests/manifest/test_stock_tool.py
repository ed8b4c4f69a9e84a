"""The stock Serverless Devs command reads a file as we do, expression by expression.

Its `preview` works without a network. Its `deploy` does not: the component fc3 is no npm package but a download from
the tool's own registry (docs/compat.md). Where npm or the package cannot be had, this is skipped and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import npm
from sojourn.manifest.document import parse_document
from sojourn.manifest.variables import Variables

PACKAGE = "@serverless-devs/s@3.1.10"
FILE = """
edition: 3.0.0
name: app
access: default
vars: &vars
  region: cn-hangzhou
  number: 5
  flag: true
  map: {a: 1, b: [x, y]}
  chained: ${vars.region}-x
resources:
  job:
    component: fc3
    access: other
    props:
      <<: *vars
      name: ${this.name}-${vars.region}
      access: ${this.access}
      component: ${this.component}
      own: ${this.props.region}
      number: ${vars.number}
      quoted: "${vars.number}"
      inside: n${vars.number}-${vars.flag}
      flag: ${vars.flag}
      map: ${vars.map}
      item: ${vars.map.b.1}
      chained: ${vars.chained}
      set: ${env('S_SET')}
      bare: ${env(S_SET)}
      digits: ${env('S_DIGITS')}
      unset: ${env('S_UNSET', 'default')}
      unset_number: ${env('S_UNSET', 512)}
      unset_empty: ${env('S_UNSET', '')}
      joined: ${env('S_SET')}${vars.number}
      file: ${file('./text')}
      json: ${json(file('./values.json'))}
      path: ${path('./code')}
      dollar: $${vars.number}
      word: yes
      octal: 0755
      text: "5"
  two:
    component: fc3
    props:
      earlier: ${resources.job.props.name}
      later: ${resources.three.props.z}
  three:
    component: fc3
    props: {z: 9}
"""
ENVIRON = {"S_SET": "abc", "S_DIGITS": "7"}


@pytest.fixture(scope="module")
def stock(pytestconfig: pytest.Config) -> Path:
    """The stock command, installed by npm."""
    assert pytestconfig.cache is not None
    return npm.installed(pytestconfig.cache.mkdir("npm-stock"), PACKAGE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The file and what it refers to."""
    (tmp_path / "code").mkdir()
    (tmp_path / "text").write_text("from a file")
    (tmp_path / "values.json").write_text('{"a": [1, "2"]}')
    (tmp_path / "s.yaml").write_text(FILE)
    return tmp_path


def preview(stock: Path, project: Path) -> subprocess.CompletedProcess[str]:
    """What the stock command makes of the file, in a home of its own."""
    command = [str(stock / "node_modules" / ".bin" / "s"), "preview", "-t", "s.yaml", "-o", "json"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(stock), **ENVIRON}
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=60)


def ours(project: Path) -> dict[str, object]:
    """What we make of it."""
    root = parse_document((project / "s.yaml").read_bytes(), "s.yaml")
    variables = Variables(root, "s.yaml", project, ENVIRON, str)
    resources = root.fields["resources"].fields
    return {name: variables.resolve(node, name).plain() for name, node in resources.items()}


def test_both_read_the_same(stock: Path, project: Path) -> None:
    """Every value, and its type."""
    ran = preview(stock, project)
    theirs = json.loads(ran.stdout[ran.stdout.index("{") :])

    assert theirs["resources"] == ours(project)


@pytest.mark.parametrize(
    "expression",
    [
        "${vars.nothing}",
        "${other.x}",
        "${this.props.nothing}",
        "${env('S_UNSET')}",
        "${vars.number + 1}",
        "${ vars.number }",
    ],
)
def test_both_refuse_what_stands_for_nothing(stock: Path, project: Path, expression: str) -> None:
    """Neither puts an empty text in its place."""
    text = FILE.replace("z: 9", f"z: {json.dumps(expression)}")
    (project / "s.yaml").write_text(text)
    ran = preview(stock, project)

    assert "not found" in ran.stdout + ran.stderr
    with pytest.raises(Exception, match=r"stands for nothing|is not set|is neither a path"):
        ours(project)
