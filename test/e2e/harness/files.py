"""Trees of files on the host and in containers, in a form that can be compared."""
import hashlib
import io
import os
import stat
import tarfile
from typing import NamedTuple


class Entry(NamedTuple):
    kind: str  # file, dir, link
    mode: int  # of files
    data: str  # digest of a file's content, target of a link

    def __str__(self):
        return f"{self.kind} {self.mode:04o} {self.data[:12]}" if self.kind == "file" else f"{self.kind} {self.data}".strip()


def digest(content):
    return hashlib.sha256(content).hexdigest()


def entry_of(path):
    """What is at a path of this machine (bytes); None for nothing, sockets, pipes and devices."""
    try:
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            return Entry("dir", 0, "")
        if stat.S_ISLNK(info.st_mode):
            return Entry("link", 0, os.fsdecode(os.readlink(path)))
        if stat.S_ISREG(info.st_mode):
            return Entry("file", info.st_mode & 0o777, digest(read(path)))
    except OSError:
        pass
    return None


def read(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(fd, "rb") as file:
        return file.read()


def tree_of(root, leave_out=()):
    """Everything below `root` on this machine, by its path relative to it. Names are bytes; a name in `leave_out` is skipped at any depth."""
    root = os.fsencode(root)
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if os.fsdecode(name) not in leave_out]
        for name in folders + files:
            path = os.path.join(folder, name)
            entry = entry_of(path)
            if entry and os.fsdecode(name) not in leave_out:
                found[os.path.relpath(path, root)] = entry
    return found


def tree_of_tar(archive, prefix):
    """The same of a tar that a container made of the directory `prefix` (without its leading slash)."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive), errors="surrogateescape") as tar:
        for member in tar:
            name = os.fsencode(os.path.relpath(member.name, prefix))
            if name == b".":
                continue
            if member.isdir():
                found[name] = Entry("dir", 0, "")
            elif member.issym():
                found[name] = Entry("link", 0, member.linkname)
            elif member.isreg():
                found[name] = Entry("file", member.mode & 0o777, digest(tar.extractfile(member).read()))
    return found


def difference(expected, actual, limit=8):
    """Nothing if both are equal, else where they differ, for people."""
    lines = []
    for path in sorted(expected.keys() | actual.keys()):
        want, have = expected.get(path), actual.get(path)
        if want != have:
            lines.append(f"  {path!r}: {want or 'nothing'} on the host, {have or 'nothing'} in the container")
    if len(lines) > limit:
        lines[limit:] = [f"  and {len(lines) - limit} more"]
    return "\n".join(lines)
