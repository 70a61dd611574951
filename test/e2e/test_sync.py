"""Saves on the host, files in the containers: two replicas, one LiveUpdate, one watcher for all of it (semantics.md 2 to 4)."""
import os
import shutil
import socket
import time

import pytest

from harness.workspace import save_as_editor, write

IGNORED = {".git", "ignored", "x.log", ".dockerignore"}


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy(replicas=2)
    write(shared.root / ".dockerignore", "**/ignored\n**/*.log\n")
    shared.live_update(source={"context": ["src"], "maxDeletes": 1000})
    app.watcher = shared.watch()
    return app


class Both:
    """The folder on the host, and the same in the containers."""

    def __init__(self, shared, app, folder):
        self.shared, self.app, self.host = shared, app, folder

    def equal(self, timeout=20, leave_out=IGNORED):
        self.shared.in_sync(self.app, f"src/{self.host.name}", f"/app/src/{self.host.name}", leave_out, timeout)

    def entries(self, name):
        return [container.entry(f"/app/src/{self.host.name}/{name}") for container in self.app.containers()]


@pytest.fixture
def both(shared, app, request):
    name = request.node.name.removeprefix("test_").replace("[", "-").replace("]", "")
    host = shared.root / "src" / name
    host.mkdir()
    return Both(shared, app, host)


def test_one_file(both):
    write(both.host / "a.txt", "one")
    both.equal()
    write(both.host / "a.txt", "two")
    both.equal()


def test_the_line_says_what_how_many_and_how_long(both, app):
    mark = app.watcher.mark()
    write(both.host / "page.html", "<p>")
    match = app.watcher.wait_line(rf"src/{both.host.name}/page\.html.* 2/2 .*?(\d+) ms", after=mark)
    assert int(match[1]) < 10_000


def test_one_file_saved_by_an_editor(both):
    write(both.host / "a.txt", "one")
    both.equal()
    for round in range(5):
        save_as_editor(both.host / "a.txt", f"{round}" * 1000)
        both.equal()


def test_many_saves_of_one_file_end_with_the_last(both):
    for round in range(300):
        write(both.host / "hot.txt", f"{round}\n" * 100)
    both.equal()


def test_same_size_twice(both):
    write(both.host / "a.txt", "aaaa")
    both.equal()
    write(both.host / "a.txt", "bbbb")
    both.equal()


def test_many_files(both):
    for number in range(300):
        write(both.host / f"{number % 7}/{number % 3}/{number}.txt", f"{number}\n" * (number % 50))
    both.equal()


def test_empty_file_and_empty_folder(both):
    write(both.host / "empty", "")
    (both.host / "nothing" / "inside").mkdir(parents=True)
    both.equal()


def test_large_file_comes_in_parts(both):
    write(both.host / "large.bin", os.urandom(3_000_000))
    both.equal(timeout=40)
    with open(both.host / "large.bin", "r+b") as file:
        file.seek(1_500_000)
        file.write(b"changed")
    both.equal(timeout=40)


def test_file_above_32_megabytes_is_refused_and_others_go_on(both, app):
    mark = app.watcher.mark()
    with open(both.host / "huge.bin", "wb") as file:
        file.truncate(33 << 20)
    app.watcher.wait_line(r"huge\.bin.*32", after=mark)
    write(both.host / "small.txt", "still here")
    both.equal(leave_out=IGNORED | {"huge.bin"})
    (both.host / "huge.bin").unlink()


def test_delete(both):
    write(both.host / "a.txt", "a")
    write(both.host / "b.txt", "b")
    both.equal()
    (both.host / "a.txt").unlink()
    both.equal()


def test_delete_of_a_folder(both):
    for number in range(40):
        write(both.host / f"tree/{number % 4}/{number}.txt", "x")
    both.equal()
    shutil.rmtree(both.host / "tree")
    both.equal()


def test_what_only_the_container_has_stays(both, app):
    write(both.host / "dir/a.txt", "a")
    both.equal()
    for container in app.containers():
        container.exec("sh", "-c", f"echo made here > /app/src/{both.host.name}/dir/cache")
    shutil.rmtree(both.host / "dir")
    both.shared.eventually(lambda: both.entries("dir/a.txt") == [None, None], "dir/a.txt is deleted")
    assert all(entry.kind == "file" for entry in both.entries("dir/cache"))


def test_rename_of_a_file(both):
    write(both.host / "old.txt", "content")
    both.equal()
    (both.host / "old.txt").rename(both.host / "new.txt")
    both.equal()


def test_rename_of_a_folder(both):
    for number in range(20):
        write(both.host / f"old/deep/{number}.txt", f"{number}")
    both.equal()
    (both.host / "old").rename(both.host / "new")
    both.equal()
    write(both.host / "new/deep/after.txt", "still watched")
    both.equal()


def test_folder_moved_in_from_elsewhere(both, shared):
    outside = shared.folder / "elsewhere"
    write(outside / "a/b/c.txt", "c")
    outside.rename(both.host / "here")
    both.equal()
    write(both.host / "here/a/b/d.txt", "d")
    both.equal()


def test_two_folders_swapped(both):
    write(both.host / "a/who", "a")
    write(both.host / "a/only-a", "a")
    write(both.host / "b/who", "b")
    both.equal()
    (both.host / "a").rename(both.host / "t")
    (both.host / "b").rename(both.host / "a")
    (both.host / "t").rename(both.host / "b")
    both.equal()


def test_file_becomes_a_folder_and_back(both):
    write(both.host / "x", "a file")
    both.equal()
    (both.host / "x").unlink()
    write(both.host / "x/inside/y", "in a folder")
    both.equal()
    shutil.rmtree(both.host / "x")
    write(both.host / "x", "a file again")
    both.equal()


def test_symlinks(both):
    write(both.host / "v1/file", "1")
    write(both.host / "v2/file", "2")
    (both.host / "latest").symlink_to("v1")
    (both.host / "dangling").symlink_to("nowhere/at/all")
    (both.host / "absolute").symlink_to("/etc/passwd")
    both.equal()
    (both.host / "latest").unlink()
    (both.host / "latest").symlink_to("v2")
    both.equal()
    (both.host / "latest").unlink()
    write(both.host / "latest", "a file now")
    both.equal()


def test_symlink_loop(both):
    (both.host / "a").symlink_to("b")
    (both.host / "b").symlink_to("a")
    (both.host / "self").symlink_to(".")
    write(both.host / "file", "beside the loops")
    both.equal()


def test_mode_change(both):
    script = write(both.host / "run.sh", "#!/bin/sh\necho ran\n", 0o644)
    both.equal()
    script.chmod(0o755)
    both.equal()
    for container in both.app.containers():
        assert container.exec(f"/app/src/{both.host.name}/run.sh") == "ran\n"
    script.chmod(0o4750)  # set-user-ID is dropped
    both.shared.eventually(lambda: [e.mode for e in both.entries("run.sh")] == [0o750] * 2, "mode 0750")
    mode = both.app.containers()[0].exec("stat", "-c", "%a", f"/app/src/{both.host.name}/run.sh").strip()
    assert mode == "750"


def test_content_that_changes_gets_the_time_at_which_it_does(both):
    """make and the like would not notice an older one."""
    write(both.host / "a.txt", "a")
    both.equal()
    began = int(time.time())
    write(both.host / "a.txt", "changed")
    os.utime(both.host / "a.txt", (1_500_000_000, 1_500_000_000))
    both.equal()
    for container in both.app.containers():
        assert int(container.exec("stat", "-c", "%Y", f"/app/src/{both.host.name}/a.txt")) >= began


def test_touch_sends_nothing(both, app):
    write(both.host / "a.txt", "a")
    both.equal()
    before = len(both.shared.kubectl.get("lcs")["items"])
    mark = app.watcher.mark()
    (both.host / "a.txt").touch()
    write(both.host / "b.txt", "b")
    both.equal()
    app.watcher.wait_line(rf"{both.host.name}/b\.txt", after=mark)
    assert len(both.shared.kubectl.get("lcs")["items"]) <= before + 1
    assert "a.txt" not in app.watcher.text(mark)


def test_ignore_rules(both, app):
    mark = app.watcher.mark()
    for name in ("x.log", "ignored/deep/file", ".git/config", ".a.txt.swp", "4913", "#a.txt#", "a.txt~", ".idea/workspace.xml"):
        write(both.host / name, "ignored")
    write(both.host / "a.txt", "not ignored")
    both.shared.eventually(lambda: all(both.entries("a.txt")), "a.txt has arrived")
    for container in app.containers():
        assert set(container.tree(f"/app/src/{both.host.name}")) == {b"a.txt"}
    app.watcher.wait_line(rf"{both.host.name}/a\.txt", after=mark)
    assert ".log" not in app.watcher.text(mark)


def test_outside_of_the_context_nothing_happens(both, shared, app):
    mark = app.watcher.mark()
    write(shared.root / "README.md", "no business of the image")
    write(both.host / "a.txt", "a")
    both.equal()
    app.watcher.wait_line(rf"{both.host.name}/a\.txt", after=mark)
    assert "README" not in app.watcher.text(mark)


AWKWARD = {
    "spaces": " two  spaces ",
    "newline": "line one\nline two",
    "quotes": "it's \"quoted\" $HOME `id` \\ ;&|<>*?[]{}()~!",
    "unicode": "grüße-日本語-🙂",
    "combining": "e\u0301",
    "leading dash": "-rf",
    "leading at": "@file",
    "tab and bell": "tab\there\a",
    "255 bytes": "x" * 255,
    "255 bytes of unicode": "ä" * 127 + "x",
    "only dots": "...",
}


@pytest.mark.parametrize("what", AWKWARD)
def test_name_with(what, both):
    name = AWKWARD[what]
    write(both.host / name, f"named with {what}")
    write(both.host / "dir" / name / name, "in folders of that name")
    both.equal()
    (both.host / name).rename(both.host / "plain")
    shutil.rmtree(both.host / "dir")
    both.equal()


def test_deep_path(both):
    deep = both.host.joinpath(*["d" * 100] * 25)
    write(deep / "file", "far down")
    both.equal()
    shutil.rmtree(both.host / ("d" * 100))
    both.equal()


def test_name_that_is_not_utf8_is_skipped_with_a_warning(both, app):
    mark = app.watcher.mark()
    bad = os.path.join(os.fsencode(both.host), b"bad-\xff\xfe.txt")
    with open(bad, "w") as file:
        file.write("cannot be sent")
    write(both.host / "good.txt", "goes on")
    both.shared.eventually(lambda: all(both.entries("good.txt")), "good.txt has arrived")
    app.watcher.wait_line(r"bad-.*UTF-8", after=mark)
    assert all(set(c.tree(f"/app/src/{both.host.name}")) == {b"good.txt"} for c in app.containers())
    os.unlink(bad)


def test_sockets_and_pipes_are_skipped_with_a_warning(both, app):
    mark = app.watcher.mark()
    os.mkfifo(both.host / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(both.host)  # a socket's path has at most 107 bytes
    listener.bind("socket")
    os.chdir(here)
    write(both.host / "good.txt", "goes on")
    both.equal()
    app.watcher.wait_line(r"pipe.*(FIFO|pipe)", after=mark)
    app.watcher.wait_line(r"socket", after=mark)
    listener.close()


def test_file_that_vanishes(both):
    for round in range(200):
        path = write(both.host / f"short-lived-{round}", "gone soon")
        path.unlink()
    write(both.host / "good.txt", "stays")
    both.equal()


def test_file_that_changes_while_it_is_read(both):
    with open(both.host / "growing", "wb") as file:
        for _ in range(200):
            file.write(os.urandom(20_000))
            file.flush()
    both.equal(timeout=40)


def test_temporary_name_of_an_editor_leaves_no_trace(both):
    write(both.host / "a.txt", "one")
    both.equal()
    swap = write(both.host / ".a.txt.swp", "swap")
    backup = (both.host / "a.txt").rename(both.host / "a.txt~")
    write(both.host / "a.txt", "two")
    backup.unlink()
    swap.unlink()
    both.equal()


def test_whole_tree_is_equal_at_the_end(shared, app):
    """Whatever the tests above did, and in whatever order: nothing was lost on the way."""
    leave_out = IGNORED | {"cache", ".idea", "4913", "#a.txt#", "a.txt~", ".a.txt.swp", "what_only_the_container_has_stays", "huge.bin"}
    shared.in_sync(app, leave_out=leave_out)
    shared.kubectl("wait", "--for=condition=Synced", "lu/app", "--timeout=10s")
