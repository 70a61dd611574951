"""Commands and restarts after the copy (semantics.md 3.5, 4.1, 4.6 to 4.8)."""
import time

import pytest

from harness.workspace import name_of, write


def shell(script, **fields):
    return {"run": {"shell": script, **fields}}


SYNC = {"sync": {"from": "src", "to": "/app/src"}}


@pytest.fixture(scope="module")
def app(shared):
    """One pod; each test has a LiveUpdate and a watcher of its own on it."""
    return shared.deploy()


@pytest.fixture
def project(shared, app, request):
    """Makes a LiveUpdate with the given steps over a folder of its own, and watches it."""
    name = name_of(request)
    started = []

    class Project:
        host = shared.root / name
        remote = f"/app/{name}"
        container = app.only()

        def start(self, *steps, sync=True, **spec):
            self.host.mkdir(exist_ok=True)
            first = [{"sync": {"from": name, "to": self.remote}}] if sync else []
            spec.setdefault("source", {})
            self.live_update = shared.live_update(name, target={"workload": {"kind": "Deployment", "name": "app"}},
                                                  steps=[*first, *steps], **spec)
            self.watcher = shared.watch(name)
            started.append(self.watcher)
            return self

        def said(self, file):
            return self.container.read(f"/tmp/{name}-{file}") or ""

        def eventually_said(self, file, text, timeout=20):
            return shared.eventually(lambda: self.said(file) == text, f"/tmp/{name}-{file} is {text!r} (it is {self.said(file)!r})", timeout)

        def note(self, word, **fields):
            return shell(f"echo {word} >> /tmp/{name}-log", **fields)

        def trigger(self, path):
            return f"{name}/{path}"

    yield Project()
    for watcher in started:
        watcher.stop()


def test_run_without_trigger_runs_on_every_update(project):
    project.start(project.note("ran"))
    write(project.host / "a", "1")
    project.eventually_said("log", "ran\n")
    write(project.host / "b", "2")
    project.eventually_said("log", "ran\nran\n")


def test_run_with_trigger_runs_when_it_changed(project):
    project.start(project.note("deps", triggers=[project.trigger("package.json")]), project.note("all"))
    write(project.host / "a", "1")
    project.eventually_said("log", "all\n")
    write(project.host / "package.json", "{}")
    project.eventually_said("log", "all\ndeps\nall\n")
    write(project.host / "a", "2")
    project.eventually_said("log", "all\ndeps\nall\nall\n")


def test_runs_see_the_new_files_and_what_changed(project):
    name = project.host.name
    project.start(shell(f'cat {project.remote}/a >> /tmp/{name}-log; echo "$LIVE_UPDATE_CHANGED" >> /tmp/{name}-log; '
                        f'echo "$LIVE_UPDATE_SEQUENCE" > /tmp/{name}-sequence'))
    write(project.host / "a", "content\n")
    project.eventually_said("log", f"content\n{project.remote}/a\n")
    assert int(project.said("sequence")) == project.live_update.status()["sequence"]


def test_run_before_sync_sees_the_old_files(project):
    name = project.host.name
    look = f"cat {project.remote}/a >> /tmp/{name}-log 2>/dev/null || echo none >> /tmp/{name}-log"
    project.start(shell(look, phase="BeforeSync"), shell(look))
    write(project.host / "a", "one\n")
    project.eventually_said("log", "none\none\n")
    write(project.host / "a", "two\n")
    project.eventually_said("log", "none\none\none\ntwo\n")


def test_command_is_run_as_it_is_written(project):
    name = project.host.name
    project.start({"run": {"command": ["sh", "-c", f'printf "%s|" "$@" > /tmp/{name}-args; pwd > /tmp/{name}-pwd', "x", "two words", "$HOME", "*", ""],
                           "workingDir": "/usr"}})
    write(project.host / "a", "1")
    project.eventually_said("args", "two words|$HOME|*||")
    project.eventually_said("pwd", "/usr\n")


def test_run_always_needs_no_sync(project, shared):
    name = project.host.name
    project.start(project.note("always", when="Always", triggers=[f"{name}.conf"]), source={"context": [name, f"{name}.conf"]})
    write(shared.root / f"{name}.conf", "not synced, but a trigger")
    project.eventually_said("log", "always\n")


def test_failing_run_is_reported_and_tried_again_with_the_next_batch(project):
    name = project.host.name
    project.start(shell(f"echo try >> /tmp/{name}-log; echo complaint >&2; test -e /tmp/{name}-cured || exit 7", triggers=[project.trigger("trigger")]),
                  project.note("after"))
    write(project.host / "trigger", "1")
    condition = project.live_update.wait_stalled("RunFailed", "7", "complaint")
    assert "app" in condition["message"]
    assert project.said("log") == "try\n", "the steps after it are not done"
    assert project.container.read(f"{project.remote}/trigger") == "1", "the files stay"
    project.watcher.wait_line(r"complaint")
    project.container.exec("touch", f"/tmp/{name}-cured")
    write(project.host / "other", "not its trigger")
    project.eventually_said("log", "try\ntry\nafter\n")
    project.live_update.wait_synced()


def test_failing_run_with_continue(project):
    project.start(shell("exit 3", onFailure="Continue"), project.note("after"))
    write(project.host / "a", "1")
    project.eventually_said("log", "after\n")
    project.live_update.wait_condition("Synced", "False", "RunFailed", "3")


def test_hanging_run_is_killed_with_all_it_started(project, shared):
    name = project.host.name
    project.start(shell(f"sleep 4711 & echo $! > /tmp/{name}-child; echo begun; sleep 4712", timeoutSeconds=1))
    begun = time.monotonic()
    write(project.host / "a", "1")
    project.live_update.wait_condition("Synced", "False", "RunFailed", timeout=20)
    assert time.monotonic() - begun > 1
    shared.eventually(lambda: "sleep 471" not in project.container.exec("ps"), "no process of the run is left")


def test_run_that_prints_megabytes(project):
    project.start(shell("i=0; while [ $i -lt 60000 ]; do echo line $i of very much output that nobody reads to its end; i=$((i+1)); done; exit 1"))
    write(project.host / "a", "1")
    project.live_update.wait_condition("Synced", "False", "RunFailed", "line 59999", timeout=40)
    status = project.live_update.status()
    assert len(str(status)) < 64 * 1024, "only the tail is kept"


def test_run_of_a_program_that_is_not_there(project):
    project.start({"run": {"command": ["no-such-program", "--flag"]}})
    write(project.host / "a", "1")
    project.live_update.wait_condition("Synced", "False", "RunFailed", "no-such-program")


def test_restart_by_signal(project, shared):
    before = project.container.read("/tmp/signals") or ""
    project.start({"restart": {"signal": "HUP"}})
    write(project.host / "a", "1")
    shared.eventually(lambda: project.container.read("/tmp/signals") == before + "hup\n", "the main process got HUP")


def test_restart_with_triggers(project, shared):
    before = project.container.read("/tmp/signals") or ""
    project.start({"restart": {"signal": "HUP", "triggers": [project.trigger("main")]}})
    write(project.host / "a", "1")
    project.live_update.wait_synced()
    shared.eventually(lambda: project.container.read(f"{project.remote}/a") == "1", "a has arrived")
    assert (project.container.read("/tmp/signals") or "") == before
    write(project.host / "main", "1")
    shared.eventually(lambda: project.container.read("/tmp/signals") == before + "hup\n", "the main process got HUP")


def test_deletes_never(project, shared):
    project.start(source={"deletes": "Never"})
    write(project.host / "a", "1")
    write(project.host / "b", "1")
    shared.eventually(lambda: project.container.read(f"{project.remote}/a"), "a has arrived")
    (project.host / "a").unlink()
    write(project.host / "b", "2")
    shared.eventually(lambda: project.container.read(f"{project.remote}/b") == "2", "b has arrived")
    assert project.container.read(f"{project.remote}/a") == "1"


def test_sync_of_a_single_file_under_another_name(shared, app, project):
    name = project.host.name
    write(shared.root / f"{name}.json", "{}")
    project.start({"sync": {"from": f"{name}.json", "to": f"{project.remote}/package.json"}}, sync=False)
    write(shared.root / f"{name}.json", '{"new": 1}')
    shared.eventually(lambda: project.container.read(f"{project.remote}/package.json") == '{"new": 1}', "package.json has arrived")
    (shared.root / f"{name}.json").unlink()
    shared.eventually(lambda: project.container.read(f"{project.remote}/package.json") is None, "package.json is deleted")


def test_two_live_updates_on_one_workload(shared, app, project):
    """Each has its own files and its own state."""
    name = project.host.name
    project.start()
    write(shared.root / "other/x", "old")
    shared.live_update("other", target={"workload": {"kind": "Deployment", "name": "app"}}, steps=[{"sync": {"from": "other", "to": "/app/other"}}])
    other = shared.watch("other")
    write(project.host / "a", "of the first")
    write(shared.root / "other/b", "of the second")
    shared.in_sync(app, name, project.remote)
    shared.eventually(lambda: project.container.read("/app/other/b") == "of the second", "the second one's file has arrived")
    assert project.container.read("/app/other/a") is None
    other.stop()


def test_one_watcher_for_two_live_updates(shared, app, project):
    for part in ("left", "right"):
        (shared.root / part).mkdir()
        shared.live_update(part, target={"workload": {"kind": "Deployment", "name": "app"}}, steps=[{"sync": {"from": part, "to": f"/app/{part}"}}])
    watcher = shared.watch("left", "right")
    write(shared.root / "left/a", "to the left")
    write(shared.root / "right/a", "to the right")
    shared.in_sync(app, "left", "/app/left")
    shared.in_sync(app, "right", "/app/right")
    watcher.stop()
