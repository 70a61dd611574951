"""The other commands, each as a person or a CI job would use it (design.md 9)."""
import json
import re

import pytest

from harness.workspace import write

GOOD = """apiVersion: liveupdate.dev/v1alpha1
kind: LiveUpdate
metadata:
  name: app
spec:
  target:
    workload: {kind: Deployment, name: app}
  steps:
  - initialSync: {}
  - sync: {from: src, to: /app/src}
  - run: {shell: 'test ! -e /app/src/broken', triggers: [src/broken]}
"""


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy()
    write(shared.root / "liveupdate.yaml", GOOD)
    return app


def test_push_sends_everything_and_waits(shared, app):
    for number in range(20):
        write(shared.root / f"src/{number % 3}/{number}", f"{number}")
    shared.kubectl("apply", "-f", shared.root / "liveupdate.yaml")
    done = shared.run("push", "app", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    shared.in_sync(app, timeout=0.1)
    (shared.root / "src/0/0").unlink()
    write(shared.root / "src/0/3", "changed")
    done = shared.run("push", "app", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    shared.in_sync(app, timeout=0.1)


def test_push_of_something_that_fails_says_so_and_exits_with_1(shared, app):
    shared.kubectl("apply", "-f", shared.root / "liveupdate.yaml")
    write(shared.root / "src/broken", "now the run fails")
    done = shared.run("push", "app", timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "exited with 1" in done.stdout + done.stderr
    (shared.root / "src/broken").unlink()
    assert shared.run("push", "app", timeout=60).returncode == 0


def test_push_from_a_file(shared, app):
    done = shared.run("push", "-f", "liveupdate.yaml", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_watch_from_a_file_applies_it_first_and_initial_sync_brings_everything(shared, app):
    shared.kubectl("delete", "lu", "app", "--ignore-not-found")
    write(shared.root / "src/initial", "there from the beginning")
    app.only().exec("sh", "-c", "rm -rf /app/src")
    watcher = shared.watch("-f", "liveupdate.yaml")
    shared.in_sync(app, timeout=30)
    shared.kubectl("wait", "--for=condition=Synced", "lu/app", "--timeout=20s", timeout=30)
    watcher.stop()


def test_status(shared, app):
    shared.kubectl("apply", "-f", shared.root / "liveupdate.yaml")
    assert shared.run("push", "app", timeout=60).returncode == 0
    shared.kubectl("wait", "--for=condition=Synced", "lu/app", "--timeout=10s")
    done = shared.run("status", "app")
    assert done.returncode == 0, done.stderr
    assert "Deployment/app" in done.stdout and "1/1" in done.stdout and "Synced" in done.stdout
    as_json = shared.run("status", "app", "-o", "json")
    assert json.loads(as_json.stdout)["metadata"]["name"] == "app"


def test_kubectl_get_shows_it(shared, app):
    shared.kubectl("apply", "-f", shared.root / "liveupdate.yaml")
    assert shared.run("push", "app", timeout=60).returncode == 0
    shared.kubectl("wait", "--for=condition=Synced", "lu/app", "--timeout=10s")
    header, line = shared.kubectl("get", "lu").splitlines()[:2]
    assert header.split() == ["NAME", "TARGET", "SYNCED", "SEQUENCE", "STATE", "HOLDER", "AGE"]
    assert re.match(r"app +Deployment/app +1/1 +\d+ +Synced ", line), line


def test_usage_exits_with_2(shared):
    for arguments in (["no-such-command"], ["watch", "--no-such-flag"], ["explain", "-f"], ["status", "-o", "poetry"], []):
        done = shared.run(*arguments)
        assert done.returncode == 2, f"{arguments}: {done.stdout}{done.stderr}"


def test_help_exits_with_0(shared):
    for arguments in (["--help"], ["watch", "--help"], ["--version"]):
        assert shared.run(*arguments).returncode == 0


BAD = {
    "no YAML": ("spec: [", r"bad\.yaml:\d.*YAML"),
    "a tab": ("spec:\n\tsteps: []", r"bad\.yaml:2"),
    "unknown field": (GOOD.replace("  steps:", "  stepz:"), r"bad\.yaml:8.*spec\.stepz"),
    "wrong kind of value": (GOOD.replace("from: src", "from: [src]"), r"bad\.yaml:10.*spec\.steps\[1\]\.sync\.from"),
    "another kind": ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", r"bad\.yaml.*Pod"),
    "relative target": (GOOD.replace("/app/src", "app/src", 1), r"bad\.yaml:10.*spec\.steps\[1\]\.sync\.to"),
    "wrong order": (GOOD.replace("  - initialSync: {}\n", "").replace("  - run", "  - initialSync: {}\n  - run"), r"spec\.steps"),
    "no target": (re.sub(r"  target:\n.*\n", "", GOOD), r"spec\.target"),
    "empty": ("", r"bad\.yaml"),
}


@pytest.mark.parametrize("what", BAD)
def test_file_with(what, shared, app):
    content, expected = BAD[what]
    write(shared.root / "bad.yaml", content)
    for command in ("validate", "watch", "push"):
        done = shared.run(command, "-f", "bad.yaml")
        said = done.stdout + done.stderr
        assert done.returncode == 1, f"{command}: exit code {done.returncode}: {said}"
        assert re.search(expected, said), f"{command} said: {said}"


def test_file_that_is_not_there(shared):
    for command in ("validate", "watch", "push", "explain"):
        done = shared.run(command, "-f", "nowhere.yaml")
        assert done.returncode in (1, 2) and "nowhere.yaml" in done.stdout + done.stderr


def test_validate_says_the_same_words_as_the_api_server(shared, app):
    bad = GOOD.replace("to: /app/src", "to: /app/../src")
    write(shared.root / "bad.yaml", bad)
    ours = shared.run("validate", "-f", "bad.yaml").stdout
    theirs = shared.kubectl.refused("apply", "-f", shared.root / "bad.yaml")
    message = re.search(r"spec\.steps\[1\]\.sync\.to: (.*)", ours)
    assert message, ours
    assert message[1].strip() in theirs, f"{ours}\n{theirs}"


def test_explain_for_people(shared, app):
    done = shared.run("explain", "-f", "liveupdate.yaml", "--changed", "src/a", "--changed", "README.md")
    assert done.returncode == 0
    assert "/app/src/a" in done.stdout and "README.md" in done.stdout


def test_explain_for_programs(shared, app):
    write(shared.root / "src/a", "x")
    done = shared.run("explain", "-f", "liveupdate.yaml", "--changed", "src/a", "--deleted", "src/old", "-o", "json")
    plan = json.loads(done.stdout)
    assert plan["decision"] == "Update"
    assert plan["copies"] == [{"from": "src/a", "to": "/app/src/a"}]
    assert plan["deletes"] == ["/app/src/old"]
