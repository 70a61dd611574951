"""This machine's programs, put into the folder that becomes an image."""
import pathlib
import shutil
import subprocess


def libraries(program):
    """The files that a program needs to start."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/") and not word.endswith(":")]


def put(program, root, name):
    """A program or a module at root/name, with the libraries that it needs."""
    copy(program, root / name)
    for library in libraries(program):
        copy(library, root / library.lstrip("/"))


def copy(file, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    if not to.exists():
        shutil.copy(file, to)
