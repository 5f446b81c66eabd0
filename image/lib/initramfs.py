#!/usr/bin/env python3
"""Writes the initramfs: a cpio archive ("newc") that depends on nothing but its input.

usage: initramfs.py TREE OUTPUT.cpio SECONDS

TREE is packed sorted by name; every entry belongs to root and carries the
same time, so two runs give the same bytes. /dev/console is added, since the
kernel opens it for PID 1 before anything can be mounted. It knows folders,
files and that one device; a symbolic link or anything else is refused.
"""

import os
import stat
import sys

_FOLDER, _FILE, _CONSOLE = 0o040755, 0o100000, 0o020600
_ALIGN = 4


class InitramfsError(Exception):
    """One line: which entry cannot be packed."""


def main(tree, output, seconds):
    with open(output + ".new", "wb") as file:
        archive = Archive(file, int(seconds))
        for name, path in entries(tree):
            if path is None:
                archive.add(name, _CONSOLE, device=(5, 1))
            elif os.path.isdir(path):
                archive.add(name, _FOLDER)
            else:
                with open(path, "rb") as source:
                    executable = os.stat(path).st_mode & stat.S_IXUSR
                    archive.add(name, _FILE | (0o755 if executable else 0o644), source.read())
        archive.finish()
    os.replace(output + ".new", output)


def entries(tree):
    """(name in the archive, path or None for the console), folders first."""
    found = [("dev/console", None)]
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise InitramfsError(f"{path}: only folders and files go into the initramfs")
            found.append((os.path.relpath(path, tree), path))
    return sorted(found)


class Archive:
    """Writes cpio entries one after another."""

    def __init__(self, file, seconds):
        self._file, self._seconds, self._inode = file, seconds, 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        """Adds one entry; hard links are never made."""
        self._inode += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, links, self._seconds, len(data), 0, 0, *device, len(encoded), 0)
        self._file.write(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
        self._pad()
        self._file.write(data)
        self._pad()

    def finish(self):
        """Writes the end mark, to a multiple of 512 bytes as cpio does."""
        self._seconds, self._inode = 0, -1
        self.add("TRAILER!!!", 0)
        self._file.write(bytes(-self._file.tell() % 512))

    def _pad(self):
        self._file.write(bytes(-self._file.tell() % _ALIGN))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except InitramfsError as error:
        sys.exit(f"image/build: {error}")
