#!/usr/bin/env python3
"""Makes a container image (a docker-archive tar with one layer) from a folder, without any container tool.

The output depends on the folder's content only: names, modes and data, not on times or who owns the files here.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def add(archive, name, data=None, path=None):
    """Adds one member, with everything but name, mode and content left out."""
    info = archive.gettarinfo(path, name) if path else tarfile.TarInfo(name)
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    if data is None and info.isreg():
        with open(path, "rb") as content:
            archive.addfile(info, content)
        return
    if data is not None:
        info.size = len(data)
        info.mode = 0o644
    archive.addfile(info, io.BytesIO(data) if data is not None else None)


def layer_of(root):
    """The folder as a tar, in a fixed order. Hard links become files of their own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder, folders, files in os.walk(root):
            folders.sort()
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in sorted(files + links) + [name for name in folders if name not in links]:
                path = os.path.join(folder, name)
                archive.inodes = {}
                add(archive, os.path.relpath(path, root), path=path)
    return buffer.getvalue()


def config_of(layer, arguments):
    """The image's configuration, as the OCI image specification has it."""
    run = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + arguments.env}
    if arguments.user:
        run["User"] = arguments.user
    if arguments.workdir:
        run["WorkingDir"] = arguments.workdir
    if arguments.command:
        run["Cmd" if arguments.default else "Entrypoint"] = arguments.command
    return json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }, sort_keys=True).encode()


def write(arguments):
    layer = layer_of(arguments.root)
    config = config_of(layer, arguments)
    layer_name = hashlib.sha256(layer).hexdigest() + "/layer.tar"
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": arguments.name, "Layers": [layer_name]}]
    with tarfile.open(arguments.output, "w", format=tarfile.PAX_FORMAT) as archive:
        add(archive, config_name, config)
        add(archive, layer_name, layer)
        add(archive, "manifest.json", json.dumps(manifest).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, action="append", help="registry/repository:tag; may be given again for a second one")
    parser.add_argument("--root", required=True, help="the folder that becomes the image's root")
    parser.add_argument("--output", required=True, help="the tar to write")
    parser.add_argument("--user", help="numeric user or user:group that runs in it")
    parser.add_argument("--workdir")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--default", action="store_true", help="the command is a default that a container's args replace")
    parser.add_argument("command", nargs="*", help="entry point, after --")
    write(parser.parse_args())


if __name__ == "__main__":
    main()
