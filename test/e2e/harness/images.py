"""Container images for the tests, made from this machine's programs. All of them idle."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from harness import cluster, programs, reloaders

BUSYBOX = "localhost/busybox:1"  # sh, tar and everything else, by busybox
GNU = "localhost/e2e-gnu:1"  # bash and GNU tar with their libraries, as Debian has them
NO_TAR = "localhost/e2e-no-tar:1"  # bash, but no tar
NO_SHELL = "localhost/e2e-no-shell:1"  # tar, but no shell
EMPTY = "localhost/e2e-empty:1"  # one static program that sleeps
OTHER_USER = "localhost/e2e-other-user:1"  # the same, and runs as user 1000

TOOLS = {
    GNU: ["bash", "tar", "rm", "rmdir", "mkdir", "chmod", "cat", "ls", "id", "sleep", "date", "mv", "cp", "ln", "touch"],
    NO_TAR: ["bash", "rm", "rmdir", "mkdir", "chmod", "cat", "id", "sleep"],
    NO_SHELL: ["tar", "cat", "sleep"],
    EMPTY: [],
    OTHER_USER: [],
}
USERS = {OTHER_USER: ["--user", "1000:1000"]}


def stage(root, tools):
    """Puts the programs, their libraries and a sleeper into a folder."""
    for name in ("bin", "tmp", "etc", "proc", "sys", "dev"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    for tool in tools:
        programs.put(shutil.which(tool), root, f"bin/{tool}")
    if "bash" in tools:
        (root / "bin/sh").symlink_to("bash")
    subprocess.run(["gcc", "-Os", "-static", "-s", "-o", root / "idle", cluster.REPO / "test/cluster/pause.c"], check=True)


def make(name, folder):
    """Makes and loads one of the images above, or one with reloaders. Busybox is in the local cluster from the start."""
    if name in reloaders.STAGES:
        return cluster.load(reloaders.image_tar(name))
    image = pathlib.Path(folder) / f"{name.split('/')[-1].replace(':', '-')}.tar"
    if name == BUSYBOX:
        subprocess.run([cluster.REPO / "test/cluster/busybox-image", name, image], check=True)
        return cluster.load(image)
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        root.chmod(0o755)
        stage(root, TOOLS[name])
        subprocess.run([sys.executable, cluster.REPO / "scripts/image.py", "--name", name, "--root", root, "--output", image, "--default",
                        *USERS.get(name, []), "--", "/idle"], check=True)
    cluster.load(image)
