"""Fuzzing files of Serverless Devs: whatever stands in an `s.yaml`, it is read, or told what is wrong and where.

Promises: nothing but `ManifestInvalid` is raised; each of its problems has a line of the file; reading twice tells the
same.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from sojourn.manifest import ManifestInvalid, Options, Wanted, read

from .target import Target

WHOLE = b"""edition: 3.0.0
name: app
vars:
  region: cn-hangzhou
resources:
  hello:
    component: fc3
    props:
      region: ${vars.region}
      functionName: hello
      runtime: python3.10
      handler: index.handler
      code: .
      memorySize: 512
      timeout: 60
      environmentVariables:
        KEY: ${env('KEY', 'x')}
      asyncInvokeConfig:
        maxAsyncRetryAttempts: 1
      instanceLifecycleConfig:
        preStop: {handler: index.stop, timeout: 3}
"""

_words = st.one_of(
    st.sampled_from(
        [
            b"edition: 3.0.0\n",
            b"edition: 1.0.0\n",
            b"resources:\n",
            b"services:\n",
            b"  hello:\n",
            b"    component: fc3\n",
            b"    component: fc\n",
            b"    props:\n",
            b"      function: {name: f, runtime: python3, handler: a.b, codeUri: .}\n",
            b"      <<: *a\n",
            b"&a ",
            b"*a",
            b"!!python/object/apply:os.system [true]\n",
            b"${vars.x}",
            b"${env('X')}",
            b"${this.props.region}",
            b"${resources.hello.props.region}",
            b"${file('./x')}",
            b"? [a]\n: b\n",
            b"---\n",
            b"%YAML 1.1\n",
            b"key: 1e999\n",
            b"key: .nan\n",
            b"key: 0x7fffffffffffffffffff\n",
            b"\t",
            b"\x00",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
        ]
    ),
    st.binary(max_size=8),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
_lines = st.lists(_words, max_size=12).map(b"".join)


def _spoiled(place: int, cut: int, words: bytes) -> bytes:
    """The whole file with some of it replaced."""
    at = place % len(WHOLE)
    return WHOLE[:at] + words + WHOLE[at + cut :]


_files = st.one_of(
    _lines,
    st.builds(_spoiled, st.integers(0, 2_000), st.integers(0, 40), _lines),
    st.integers(1, 3_000).map(lambda depth: b"a: " + b"[" * depth),
)


def check_file(data: bytes) -> None:
    """Read it twice."""
    first, second = _read(data), _read(data)
    if first != second:
        raise AssertionError("reading it again tells something else")


def _read(data: bytes) -> list[Wanted] | list[str]:
    options = Options(environ={"KEY": "value"}, account_id=lambda: "1")
    try:
        return read(data, "s.yaml", Path("/nonexistent"), options)
    except ManifestInvalid as error:
        if not error.problems:
            raise AssertionError("refused without a reason") from error
        for problem in error.problems:
            if not 1 <= problem.line <= data.count(b"\n") + data.count(b"\r") + 2:
                raise AssertionError(f"a problem in line {problem.line}: {problem}") from error
        return [str(problem) for problem in error.problems]


TARGETS = (Target("s.yaml", _files, check_file, bytes=True),)
