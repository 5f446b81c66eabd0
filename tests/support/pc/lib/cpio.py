#!/usr/bin/env python3
"""Write a gzip-compressed "newc" cpio archive of a folder, as an initramfs.

cpio.py FOLDER OUT.cpio.gz

Owner is root, times are 0 and the order is sorted, so equal folders give equal
bytes. /dev/console, /dev/null and /dev/ttyS0 are added as device nodes: making
them on disk would need root.
"""
import gzip
import os
import stat
import sys

DEVICES = [("dev/console", 5, 1), ("dev/null", 1, 3), ("dev/ttyS0", 4, 64)]
TRAILER = "TRAILER!!!"


def entry(inode, name, mode, body=b"", rdev=(0, 0)):
    """One archive member: 110-byte ASCII header, name, body, each padded to 4."""
    raw_name = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(body), 0, 0, rdev[0], rdev[1], len(raw_name), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw_name
    return head + bytes(-len(head) % 4) + body + bytes(-len(body) % 4)


def members(folder):
    """(name, mode, body, rdev) of everything below the folder, sorted by name."""
    found = [(name, stat.S_IFCHR | 0o600, b"", (major, minor)) for name, major, minor in DEVICES]
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(base, name)
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                mode, body = stat.S_IFLNK | 0o777, os.readlink(path).encode()
            elif stat.S_ISDIR(info.st_mode):
                mode, body = stat.S_IFDIR | 0o755, b""
            else:
                executable = 0o755 if info.st_mode & 0o100 else 0o644
                with open(path, "rb") as source:
                    mode, body = stat.S_IFREG | executable, source.read()
            found.append((os.path.relpath(path, folder), mode, body, (0, 0)))
    return sorted(found)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: cpio.py FOLDER OUT.cpio.gz")
    folder, out = sys.argv[1:]
    blocks = [
        entry(inode, name, mode, body, rdev)
        for inode, (name, mode, body, rdev) in enumerate(members(folder), start=1)
    ]
    blocks.append(entry(0, TRAILER, 0))
    with open(out, "wb") as target:
        with gzip.GzipFile("", "wb", 9, target, mtime=0) as packed:
            packed.write(b"".join(blocks))


if __name__ == "__main__":
    main()
