"""Programs that rebuild or start again on changes, in the container: each save is taken in by each of them (semantics.md 4.2)."""
import dataclasses
import re
import shutil
import time

import pytest

from harness import reloaders
from harness.app import App
from harness.reloaders import NODE, PYTHON, TOOLS
from harness.waiting import NotYet
from harness.workspace import save_as_editor, write

LOG = "/tmp/log"  # what the program prints
THINK = 0.3  # seconds between a reaction and the next save: entr looks away for some 50 ms after it has run something
BIN = "/tools/node_modules/.bin"
# Without *.pyc: Python takes an old one for a file of the same size that was saved in the same second.
FLASK = "PYTHONPATH=/tools PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -m flask --app flask/web.py run --reload"
INOTIFYWAIT = """inotifywait -m -r --format '%e %f' inotifywait | while read -r event name; do
  echo "$event $name"
  case $event,$name in *_TO,part.txt | *_WRITE,*,part.txt) cat inotifywait/part.txt ;; esac
done"""
READING = {"OPEN", "ACCESS", "CLOSE_NOWRITE,CLOSE"}
GOING = re.compile("MOVED_FROM|DELETE|REMOVE|RENAME")


@dataclasses.dataclass
class Reloader:
    image: str
    command: str  # for sh, in /app, where the folder of the program's name has what it watches
    ready: str  # a pattern of what it prints once it watches
    file: str  # the one to save
    text: str = "{}\n"  # its content for a save
    result: str = LOG  # where each save is to be seen: a file, or an address


RELOADERS = {
    "sass": Reloader(NODE, f"exec {BIN}/sass --watch sass:/tmp/css", "Sass is watching", "_part.scss", 'p {{ content: "{}" }}\n', "/tmp/css/main.css"),
    "inotifywait": Reloader(TOOLS, INOTIFYWAIT, "Watches established", "part.txt"),
    "fsnotify": Reloader(TOOLS, "exec fsnotify fsnotify", "watching", "part.txt"),
    "entr": Reloader(TOOLS, "ls entr/* | entr -n cat entr/part.txt", "save-0", "part.txt"),
    "vite": Reloader(NODE, f"exec {BIN}/vite vite --host 127.0.0.1", "ready in", "part.js", 'export const text = "{}"\n', "http://127.0.0.1:5173/part.js"),
    "nodemon": Reloader(NODE, f"exec {BIN}/nodemon --watch nodemon nodemon/app.js", "save-0", "app.js",
                        'console.log("{}")\nsetInterval(() => {{}}, 1000)\n'),
    "watchfiles": Reloader(PYTHON, "PYTHONPATH=/tools exec /usr/bin/python3 -m watchfiles 'cat watchfiles/part.py' watchfiles", "save-0", "part.py",
                           "# {}\n"),
    "flask": Reloader(PYTHON, FLASK, "Restarting with stat", "part.py", 'TEXT = "{}"\n', "http://127.0.0.1:5000/"),
}


class Running:
    """One of them in its container."""

    def __init__(self, workspace, name):
        self.workspace, self.name, self.reloader = workspace, name, RELOADERS[name]
        container = {"command": ["sh", "-c", f"exec >{LOG} 2>&1\n{self.reloader.command}"], "workingDir": "/app"}
        self.app = App(workspace, name, workspace.image(self.reloader.image), container=container)
        self.file = workspace.root / name / self.reloader.file

    def log(self):
        return self.app.only().read(LOG) or ""

    def result(self):
        if self.reloader.result.startswith("/"):
            return self.app.only().read(self.reloader.result) or ""
        return self.app.only().exec("wget", "-qO-", self.reloader.result, check=False)

    def wait_ready(self):
        self.app.wait_ready()
        self._eventually(self.log, self.reloader.ready)
        if self.reloader.result != LOG:
            self.sees("save-0")

    def content(self, text):
        return self.reloader.text.format(text)

    def sees(self, text):
        """The program has taken in the save with this text."""
        self._eventually(self.result, text)

    def _eventually(self, look, text):
        def there():
            if text not in look():
                raise NotYet(f"{look()[-500:]}\nits log: {self.log()[-2000:]}")
            return True
        self.workspace.eventually(there, f"{self.name} says {text}", timeout=30, every=0.1)


@pytest.fixture(scope="module")
def running(shared):
    """All of them, with the files of their images on this machine, and one watcher for all."""
    shutil.copytree(reloaders.PROJECT, shared.root, dirs_exist_ok=True)
    running = {name: Running(shared, name) for name in RELOADERS}
    for name, one in running.items():
        one.app.apply()
        one.live_update = shared.live_update(name, [{"sync": {"from": name, "to": f"/app/{name}"}}])
    shared.watch(*RELOADERS)
    for one in running.values():
        one.wait_ready()
    return running


def last_events(log):
    """The last change that was said of each name that is not one of ours."""
    lines = re.findall(r"^([A-Z_,|]+) (\S+)$", log, re.MULTILINE)
    return {name: event for event, name in lines if event not in READING and not name.startswith(".live-update-")}


def no_delete_is_last(running, files):
    """The programs that tell their events end with another than that the file is gone."""
    for name in running.keys() & {"inotifywait", "fsnotify"}:
        def there():
            last = last_events(running[name].log())
            gone = {file: last.get(file) for file in files if GOING.search(last.get(file, "DELETE"))}
            if gone:
                raise NotYet(f"the last events are {gone}")
            return True
        running[name].workspace.eventually(there, f"{name} is told last that {files} are there", every=0.1)


@pytest.mark.parametrize("name", RELOADERS)
def test_five_saves_are_five_reactions(running, name):
    one = running[name]
    for number in range(1, 6):
        save = write if number % 2 else save_as_editor
        save(one.file, one.content(f"save-{number} of one file"))
        one.sees(f"save-{number} of one file")
        time.sleep(THINK)
    no_delete_is_last({name: one}, ["part.txt"])


def test_several_files_in_one_batch(running):
    for one in running.values():
        for number in range(3):
            write(one.file.parent / f"beside-{number}{one.file.suffix}", one.content("beside"))
        write(one.file, one.content("save-6 with others"))
    for one in running.values():
        one.sees("save-6 with others")
    no_delete_is_last(running, ["part.txt", "beside-0.txt", "beside-1.txt", "beside-2.txt"])


def test_by_transport_tar(running):
    for one in running.values():
        one.live_update.patch({"spec": {"transport": "Tar"}})
        one.live_update.wait_synced(1)
    for number in (7, 8):
        for one in running.values():
            write(one.file, one.content(f"save-{number} by tar"))
        for one in running.values():
            one.sees(f"save-{number} by tar")
        time.sleep(THINK)
    no_delete_is_last(running, ["part.txt"])
