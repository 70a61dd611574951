"""Steps behind a batch of very many paths (semantics.md 4.1, 4.6): each once, and with all of the paths."""
import time

import pytest

from harness.workspace import write

MANY = 1000


def note(word):
    """Says its name, how many paths changed, how many of them it can read, and where."""
    return {"run": {"shell": f'echo "{word} $LIVE_UPDATE_CHANGED_COUNT $(grep -c . "$LIVE_UPDATE_CHANGED_FILE")" >> /tmp/runs; '
                             'echo "$LIVE_UPDATE_CHANGED_FILE" > /tmp/file'}}


def save_all(workspace, content):
    for number in range(MANY):
        write(workspace.root / f"src/module/some_python_module_number_{number:04}.py", f"{content} = {number}\n")


def stays(container, file, expected):
    """It is so, and is so still when whatever would repeat it has had its time."""
    assert container.read(file) == expected
    time.sleep(3)
    assert container.read(file) == expected


@pytest.mark.parametrize("runs", [1, 2])
def test_runs_behind_an_initial_sync_run_once(workspace, runs):
    save_all(workspace, "x")
    app = workspace.deploy()
    live_update = workspace.live_update(steps=[{"initialSync": {}}, {"sync": {"from": "src", "to": "/app"}},
                                               *(note(f"r{number}") for number in range(1, runs + 1))])
    workspace.watch()
    live_update.wait_synced(1)
    container = app.only()
    entries = MANY + 1  # with the folder
    said = container.read("/tmp/runs").splitlines()
    assert [line.split()[0] for line in said] == [f"r{number}" for number in range(1, runs + 1)]
    for line in said:
        word, count, readable = line.split()
        assert count == readable and MANY <= int(count) <= entries + 1, line
    stays(container, "/tmp/runs", container.read("/tmp/runs"))
    file = container.read("/tmp/file").strip()
    assert "/.live-update-" in file and container.read(file) is None


def test_restart_behind_a_large_batch_restarts_once(workspace):
    app = workspace.deploy()
    live_update = workspace.live_update(steps=[{"sync": {"from": "src", "to": "/app"}}, {"run": {"shell": "echo r1 >> /tmp/runs"}},
                                               {"run": {"shell": "echo r2 >> /tmp/runs"}}, {"restart": {"signal": "HUP"}}])
    watcher = workspace.watch()
    watcher.stop()
    save_all(workspace, "x")
    workspace.watch()
    workspace.in_sync(app, to="/app")
    live_update.wait_synced(1)
    container = app.only()
    batches = container.read("/tmp/runs").count("r1\n")
    assert container.read("/tmp/runs") == "r1\nr2\n" * batches and batches < 5
    stays(container, "/tmp/signals", "hup\n" * batches)
    assert container.read("/tmp/runs") == "r1\nr2\n" * batches


def test_name_with_a_line_break_forges_no_path(workspace):
    app = workspace.deploy()
    live_update = workspace.live_update(steps=[{"sync": {"from": "src", "to": "/app"}},
                                               {"run": {"shell": 'echo "$LIVE_UPDATE_CHANGED_COUNT:$LIVE_UPDATE_CHANGED" > /tmp/changed'}}])
    workspace.watch()
    write(workspace.root / "src/x\n" / "etc" / "shadow", "forged")
    workspace.in_sync(app, to="/app")
    live_update.wait_synced(1)
    assert "shadow" not in app.only().read("/tmp/changed")
