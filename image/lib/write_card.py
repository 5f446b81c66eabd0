#!/usr/bin/env python3
"""Writes the mapped blocks of an image to a device and checks them.

usage: write_card.py IMAGE BMAP DEVICE

It opens the device exclusively, so that the kernel refuses one that is
mounted. What it read back must have the block map's checksums; the cache is
dropped first, so that the card answers and not the memory.
"""

import fcntl
import hashlib
import os
import sys
import time
import xml.etree.ElementTree

_CHUNK = 4 << 20
# <linux/fs.h>: flush a block device's cache; read its partitions again.
BLKFLSBUF, BLKRRPART = 0x1261, 0x125F


class WriteError(Exception):
    """One line: what went wrong with which device."""


def main(image, bmap, device):
    block, size, ranges = read_map(bmap)
    total = sum(length for _, length, _ in ranges)
    with open(image, "rb") as source:
        target = os.open(device, os.O_RDWR | os.O_EXCL)
        try:
            if os.lseek(target, 0, os.SEEK_END) < size:
                raise WriteError(f"{device}: too small: the image needs {size // 1000000} MB")
            with Progress("writing", total) as progress:
                for start, length, digest in ranges:
                    if transfer(source.fileno(), start, length, progress, target) != digest:
                        raise WriteError(f"{image}: not the image that {bmap} describes: run image/build again")
                os.fsync(target)
            drop_cache(target)
            with Progress("checking", total) as progress:
                for start, length, digest in ranges:
                    if transfer(target, start, length, progress) != digest:
                        raise WriteError(f"{device}: what it stored is not what was written: use another card")
            reread_partitions(target)
        finally:
            os.close(target)
    print(f"{device} is ready: put it into the Pi")


def read_map(path):
    """(block size, image size, [(start, length, sha256)]), all in bytes."""
    root = xml.etree.ElementTree.parse(path).getroot()
    block = int(root.findtext("BlockSize"))
    size = int(root.findtext("ImageSize"))
    ranges = []
    for element in root.find("BlockMap"):
        first, _, last = element.text.strip().partition("-")
        start = int(first) * block
        end = min((int(last or first) + 1) * block, size)
        ranges.append((start, end - start, element.get("chksum")))
    return block, size, ranges


def transfer(source, start, length, progress, target=None):
    """Reads a range, writes it to the target if there is one; its sha256."""
    digest = hashlib.sha256()
    done = 0
    while done < length:
        data = os.pread(source, min(_CHUNK, length - done), start + done)
        if not data:
            raise WriteError(f"ends at byte {start + done}, before its block map does")
        digest.update(data)
        at = 0
        while target is not None and at < len(data):
            at += os.pwrite(target, data[at:], start + done + at)
        done += len(data)
        progress.add(len(data))
    return digest.hexdigest()


def drop_cache(target):
    """So that reading back asks the card."""
    try:
        fcntl.ioctl(target, BLKFLSBUF, 0)
    except OSError:
        # Not a block device (a test's file).
        os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)


def reread_partitions(target):
    """Shows the new partitions to this computer; not having them harms nobody."""
    try:
        fcntl.ioctl(target, BLKRRPART, 0)
    except OSError:
        pass


class Progress:
    """One line that counts megabytes."""

    def __init__(self, verb, total):
        self._verb, self._total, self._done = verb, total, 0
        self._begin = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        print(flush=True)

    def add(self, count):
        """Counts and shows."""
        self._done += count
        seconds = time.monotonic() - self._begin
        text = f"{self._verb} {self._done // 1000000} of {self._total // 1000000} MB, {seconds:.1f} s"
        if sys.stdout.isatty():
            print(f"\r{text}", end="", flush=True)
        elif self._done == self._total:
            print(text, end="")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (WriteError, OSError) as error:
        sys.exit(f"image/flash: {error}")
