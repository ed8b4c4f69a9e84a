"""Malformed files: each mistake is told with its line and what to do, and none is an exception of ours.

A line that ends in `#! words` is one that must be told, with a sentence that holds these words; no other may be.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sojourn.manifest import ManifestInvalid, Options, read

HEAD = "edition: 3.0.0\nname: app\naccess: default\nresources:\n  job:\n    component: fc3\n    props:\n"
GOOD = "      functionName: job\n      runtime: python3.12\n      handler: index.handler\n      code: ./code\n"
BOUNDS = "must be a whole number between 1 and 86400 seconds"
FC2 = """edition: 1.0.0
name: app
access: default
services:
  job:
    component: fc
    props:
      region: cn-hangzhou
      service:
        name: svc
      function:
        name: job
        runtime: python3.12
        handler: index.handler
        codeUri: ./code
"""


def props(*lines: str) -> str:
    """A whole file whose one function has these lines beside what it needs."""
    return HEAD + GOOD + "".join(f"      {line}\n" for line in lines)


FILES: dict[str, str] = {
    # Values
    "timeout of none": props("timeout: 0 #! " + BOUNDS + ", got 0"),
    "timeout beyond": props("timeout: 86401 #! " + BOUNDS),
    "timeout as text": props("timeout: '60' #! " + BOUNDS + ", got '60'"),
    "timeout with a fraction": props("timeout: 1.5 #! " + BOUNDS + ", got 1.5"),
    "timeout as true": props("timeout: true #! " + BOUNDS + ", got True"),
    "timeout as a list": props("timeout: [3] #! " + BOUNDS),
    "memory out of step": props("memorySize: 200 #! must be a multiple of 64 MB, got 200"),
    "memory too small": props("memorySize: 64 #! between 128 and 32768 MB"),
    "cpu out of step": props("cpu: 0.33 #! must be a multiple of 0.05 vCPU"),
    "cpu out of proportion": props("cpu: 4 #! between 1:4 and 1:1 of memorySize"),
    "disk of another size": props("diskSize: 1024 #! must be one of (512, 10240) MB"),
    "description as a number": props("description: 5 #! must be text"),
    "variables as a list": props("environmentVariables: [A] #! must be an object of names to strings"),
    "variable as a number": props("environmentVariables:", "  A: 1 #! environmentVariables.A must be a string"),
    "variable that is reserved": props("environmentVariables:", "  FC_A: x #! must not start with FC_"),
    "variable with a bad name": props("environmentVariables:", "  1A: x #! must be named by a letter"),
    "hook with a bound": props(
        "instanceLifecycleConfig:",
        "  preStop:",
        "    handler: index.stop",
        "    timeout: 91 #! instanceLifecycleConfig.preStop.timeout must be a whole number between 1 and 90",
    ),
    "hook without a handler": props(
        "instanceLifecycleConfig:", "  initializer: {timeout: 3} #! initializer.handler must be spelled module.function"
    ),
    "hook as text": props(
        "instanceLifecycleConfig:", "  preStop: index.stop #! must be an object of handler and timeout"
    ),
    "handler of two words": HEAD + GOOD.replace("index.handler", "in dex #! must be spelled module.function"),
    "program beside python": props("customRuntimeConfig: {port: 9000} #! goes with a custom runtime"),
    "concurrency beside python": props("instanceConcurrency: 2 #! must be 1 with runtime python3.12"),
    "tags as a map": props("tags: {a: b} #! must be a list of at most 20 tags"),
    "retries beyond": props(
        "asyncInvokeConfig:", "  maxAsyncRetryAttempts: 9 #! asyncInvokeConfig.maxAsyncRetryAttempts must be a whole"
    ),
    "age beyond": props("asyncInvokeConfig:", "  maxAsyncEventAgeInSeconds: 604801 #! between 1 and 604800 seconds"),
    "a configuration as text": props("asyncInvokeConfig: auto #! asyncInvokeConfig must be a map, got 'auto'"),
    "concurrency below": props("concurrencyConfig:", "  reservedConcurrency: -1 #! between 0 and 100000"),
    "provision twice": props("provisionConfig: {target: 1, defaultTarget: 2} #! must be absent or defaultTarget (2)"),
    "provision of nothing": props("provisionConfig: {alwaysAllocateCPU: true} #! target must be a whole number"),
    "a destination of no kind": props(
        "asyncInvokeConfig:", "  destinationConfig: {onFailure: {destination: nowhere}} #! onFailure.destination must"
    ),
    "provision as text": props(
        "provisionConfig:", "  defaultTarget: many #! between 0 and 10000 instances, got 'many'"
    ),
    "scaling below": props("scalingConfig:", "  minInstances: -1 #! between 0 and 10000"),
    "function name with a dot": HEAD
    + GOOD.replace("functionName: job", "functionName: a.b #! must start with a letter"),
    "function name as a number": HEAD
    + GOOD.replace("functionName: job", "functionName: 5 #! must start with a letter"),
    "no such code": HEAD + GOOD.replace("./code", "./cod #! there is nothing at './cod'"),
    "code as a number": HEAD + GOOD.replace("./code", "7 #! must be the path of a directory or a zip, got 7"),
    # Keys
    "a slip of the pen": props("timeot: 3 #! Did you mean timeout?"),
    "another case": props("memorysize: 512 #! Did you mean memorySize?"),
    "a key of nobody": props("colour: red #! is not a key that is known here. Known are asyncInvokeConfig, code"),
    "deep in a map": props("asyncInvokeConfig:", "  destinationConfig:", "    onSucces: {} #! Did you mean onSuccess?"),
    "layers": props("layers: [x] #! layers is not supported: there are no layers"),
    "a log service": props("logConfig: auto #! logs are kept with each task"),
    "a role": props("role: acs:ram::1:role/x #! the server has no roles"),
    "triggers, each": props(
        "triggers:",
        "  - triggerName: nightly",
        "    triggerType: timer",
        "    triggerConfig:",
        "      cronExpression: often #! props.triggers[0].triggerConfig.cronExpression must be",
        "  - triggerName: files",
        "    triggerType: oss #! triggers[1].triggerType must be timer or http",
        "  - triggerName: web",
        "    triggerType: http",
        "    sourceArn: acs:x #! triggers[2].sourceArn is not supported: nothing here sends events of other services",
        "    triggerConfig: {methods: [FETCH]} #! triggers[2].triggerConfig.methods must be a list of some of GET",
        "  - triggerName: other",
        "    triggerType: http",
        "    triggerConfig: {authTyp: anonymous} #! Did you mean authType?",
        "  - text #! triggers[4] must be a map of triggerName",
    ),
    "triggers, together": props(
        "triggers:",
        "  - {triggerName: a, triggerType: http}",
        "  - {triggerName: b, triggerType: http} #! triggers[1] is a second http trigger of LATEST",
        "  - {triggerName: a, triggerType: timer, triggerConfig: {cronExpression: '@every 1h'}} #! 'a' a second time",
        "  - {triggerType: http} #! triggers[3].triggerName must start with a letter",
        "  - {triggerName: c, triggerType: timer} #! triggers[4].triggerConfig.cronExpression is required",
    ),
    "triggers as a map": props("triggers: {a: b} #! must be a list of triggers|is not a key that is known here"),
    "triggers as text": props("triggers: none #! triggers must be a list of triggers"),
    "2.0 triggers": FC2
    + "      triggers:\n        - {name: a, type: log} #! triggers[0].triggerType must be timer or http\n",
    "actions": HEAD.replace("    props", "    actions: {pre-deploy: []} \n    actions2: 1 #! not a key\n    props")
    + GOOD,
    "a flow": props() + "flow: {a: [job]} #! flow is not supported: resources are applied in the order of the file\n",
    "code in a bucket": props().replace(
        "./code", "\n        src: ./code\n        ossBucketName: b #! code comes from this machine"
    ),
    # The file
    "no edition": props().replace("edition: 3.0.0\n", "").replace("name: app", "name: app #! edition is required"),
    "another edition": props().replace("edition: 3.0.0", "edition: 2.0 #! edition must be 3.x.x or 1.0.0, got 2.0"),
    "resources of the wrong edition": props().replace("resources:", "services: #! does not go with edition 3.0.0"),
    "no resources": "edition: 3.0.0 #! resources is required: a map of at least one resource\nname: app\n",
    "empty resources": "edition: 3.0.0\nresources: {} #! resources is required: a map of at least one\n",
    "a resource as text": "edition: 3.0.0\nresources:\n  job: text #! must be a map with component and props\n",
    "no component": props()
    .replace("    component: fc3\n", "")
    .replace("  job:", "  job: #! component is required: fc3 or fc"),
    "another component": props().replace("component: fc3", "component: fnf #! must be fc3 or fc, got 'fnf'"),
    "no props": "edition: 3.0.0\nresources:\n  job: #! props is required\n    component: fc3\n",
    "the same function twice": props()
    + "  two: #! is the function 'job', which is job in line 5\n    component: fc3\n    props:\n"
    + GOOD,
    "an unknown key at the top": props() + "var: {a: 1} #! Did you mean vars?\n",
    # YAML
    "twice the same key": props("timeout: 3", "timeout: 4 #! is here a second time; the first is in line 12"),
    "an alias to nothing": props("timeout: *nothing #! undefined alias|has no anchor above it"),
    "an alias in itself": props("environmentVariables: &a", "  A: *a #! stands inside its own anchor"),
    "a tag": props("timeout: !!python/object/apply:os.system [x] #! the tag tag:yaml.org,2002:python"),
    "a second document": props() + "---\nb: 2\n".replace("---", "--- #! a second document begins here"),
    "a list at the top": "- a #! must be a map with edition, name and resources\n",
    "merging a text": props("<<: text #! << merges maps, and this is none"),
    "a key that is a list": props("? [a] #! a key must be a word", ": b"),
    # Expressions
    "no such variable": props("description: ${vars.nothing} #! ${vars.nothing} stands for nothing in this file"),
    "no such environment": props("description: ${env('SURELY_NOT')} #! SURELY_NOT is not set"),
    "no such file": props("description: ${file('./nothing')} #! cannot be read (No such file or directory)"),
    "no such function": props("description: ${git('x')} #! there is no function git; there are env, file"),
    "an expression with no end": props("description: 'a ${vars.x' #! has no closing brace"),
    "an expression of nothing": props("description: 'a ${} b' #! is neither a path such as"),
    "a sum": props("description: ${vars.n + 1} #! is neither a path such as"),
    "a map inside a text": props("description: x-${this.props.tags} #! stands for a map or a list", "tags: []"),
    "a thing's output": props("description: ${resources.job.output.url} #! known only after a deployment"),
    "a reference to itself": props("description: ${this.props.description} #! leads back to itself"),
    "json that is none": props("description: \"${json('{')}\" #! json cannot read this text"),
    "another config": props("description: ${config('AccessKeySecret')} #! only config('AccountID') is"),
    "two arguments": props("description: ${file('a', 'b')} #! file takes a file's text"),
    # The older form
    "2.0 services": FC2.replace("name: svc", "name: 1svc #! would be named '1svc$job'"),
    "2.0 without a function": FC2[: FC2.index("      function:")].replace(
        "    props:", "    props: #! function is required"
    ),
    "2.0 key of 3.0": FC2 + "        code: ./code #! Did you mean codeUri?|is not a key that is known here\n",
    "2.0 domain": FC2.replace("name: svc", "name: 1svc #! would be named")
    + "      customDomains: [a] #! there are no domains\n",
    "2.0 instance type": FC2 + "        instanceType: g1 #! must be one of e1, c1, got 'g1'\n",
    "2.0 image without its runtime": FC2
    + "        customContainerConfig: {image: a/b} #! goes with custom-container, not python3.12\n",
    "2.0 image": FC2.replace("python3.12", "custom-container")
    + "        customContainerConfig:\n"
    + "          image: a/b\n"
    + "          args: '[1' #! function.customContainerConfig.args must be a list of words\n"
    + "          webServerMode: false #! function.customContainerConfig.webServerMode must be true, got False\n"
    + "          instanceID: cri-1 #! instanceID is not supported: images come from the server's machine\n"
    + "          entrypoint: [a] #! is not a key that is known here\n",
    "2.0 port": FC2 + "        caPort: 9000 #! goes with a custom runtime\n",
    "2.0 retries": FC2
    + "        asyncConfiguration:\n          maxAsyncRetryAttempts: 9 #! asyncConfiguration.maxAsyncRetryAttempts\n",
}
MARK = re.compile(r"#! (.+)$")


def problems(text: str | bytes, directory: Path, **options: object) -> list[tuple[int, str]]:
    """The line and the sentence of every mistake."""
    (directory / "code").mkdir(exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ManifestInvalid) as caught:
        read(data, "s.yaml", directory, Options(**options))  # type: ignore[arg-type]  # passed on
    return [(problem.line, problem.text) for problem in caught.value.problems]


def test_the_corpus_is_large() -> None:
    """It holds at least forty files, and the files around it are good ones."""
    assert len(FILES) >= 40


@pytest.mark.parametrize("name", FILES)
def test_every_mistake_is_told_in_its_line(name: str, tmp_path: Path) -> None:
    """The line is that of the mark, the sentence holds its words, and nothing else is told."""
    marked = {
        number: match[1]
        for number, line in enumerate(FILES[name].splitlines(), 1)
        if (match := MARK.search(line)) is not None
    }
    clean = re.sub(r" #! .*$", "", FILES[name], flags=re.MULTILINE)
    options = {"without_services": True} if "$job" not in FILES[name] and "would be named" not in FILES[name] else {}
    found = problems(clean, tmp_path, **options)

    assert {line for line, _ in found} == set(marked), found
    for line, text in found:
        assert any(words in text for words in marked[line].split("|")), text


SYNTAX: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 1, "the file is empty"),
    "only a remark": (b"# nothing\n\n", 1, "the file is empty"),
    "a tab": (b"edition: 3.0.0\n\tname: x\n", 2, "is not YAML"),
    "a quote with no end": (b"a: 1\nb: 'x\n", 2, "is not YAML"),
    "a bracket with no end": (b"a: 1\nb: [1,\nc: 2\n", 2, "is not YAML"),
    "a wrong indent": (b"a:\n  b: 1\n c: 2\n", 3, "is not YAML"),
    "two colons": (b"a: b: c\n", 1, "is not YAML"),
    "no UTF-8": (b"a: 1\nb: \xff\n", 2, "is not UTF-8 text (byte 0xff)"),
    "a control character": (b"a: 1\nb: 2\nc: \x07\n", 3, "a character that YAML does not allow (U+0007)"),
    "too large": (b"a: " + b"x" * (1 << 20), 1, "at most 1048576 are read"),
    "too deep": (b"a: " + b"[" * 60 + b"]" * 60, 1, "nested deeper than 40"),
    "very deep": (b"a: " + b"[" * 20000 + b"]" * 20000, 1, "nested deeper than 40"),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_what_is_no_yaml_is_told_in_its_line(name: str, tmp_path: Path) -> None:
    """The first line where it ceases to be YAML."""
    data, line, words = SYNTAX[name]
    ((found, text),) = problems(data, tmp_path)

    assert (found, words in text) == (line, True), text


def test_aliases_do_not_blow_up(tmp_path: Path) -> None:
    """A file that doubles itself thirty times is refused at once."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30)]
    ((_, text),) = problems("\n".join(lines), tmp_path)

    assert "holds more than 50000 values" in text


def test_expressions_do_not_blow_up(tmp_path: Path) -> None:
    """Neither by text nor by maps."""
    texts = ["vars:", "  a0: xxxxxxxxxx"] + [f"  a{n}: ${{vars.a{n - 1}}}${{vars.a{n - 1}}}" for n in range(1, 40)]
    maps = ["vars:", "  a0: [x]"] + [f"  a{n}: ['${{vars.a{n - 1}}}', '${{vars.a{n - 1}}}']" for n in range(1, 40)]
    for lines in (texts, maps):
        found = problems("\n".join(lines) + "\n" + props("description: ${vars.a39}"), tmp_path)

        assert any("write out to more than" in text or "writes out to more than" in text for _, text in found)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """In the order of their lines."""
    found = problems(props("timeout: 0", "memorySize: 1", "colour: x", "layers: [a]", "cpu: x"), tmp_path)

    assert [line for line, _ in found] == [12, 13, 14, 15, 16]


def test_a_missing_field_does_not_hide_the_others(tmp_path: Path) -> None:
    """The line of what is missing is that of the props, and the rest is looked at as well."""
    text = props("timeout: 0").replace("      handler: index.handler\n", "").replace("python3.12", "[x]")
    found = problems(text, tmp_path)

    assert [line for line, _ in found] == [7, 9, 11]
    assert "handler is required" in found[0][1]


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    """The value of a variable stays out of the message."""
    ((_, text),) = problems(props("environmentVariables: {PIN: 987654}"), tmp_path)

    assert "987654" not in text
    assert "write the value in quotes" in text
