#!/usr/bin/env python3
"""Put file-system images into a disk image with an MBR partition table.

disk.py OUT.img SIZE-MIB BOOT-CODE|- TYPE:FILE...

TYPE is the partition's hexadecimal type byte. The first partition is the active
one. Partitions start on 1 MiB borders, the first at 1 MiB.
"""
import os
import struct
import sys

SECTOR = 512
MIB = 1024 * 1024
DISK_ID = 0x70786562
# Cylinder/head/sector value that means "look at the LBA fields".
NO_CHS = b"\xfe\xff\xff"


def copy(source, target):
    """Copy, leaving blocks of zeros as holes."""
    while block := source.read(MIB):
        if block.count(0) == len(block):
            target.seek(len(block), os.SEEK_CUR)
        else:
            target.write(block)


def main():
    if len(sys.argv) < 5:
        sys.exit("usage: disk.py OUT.img SIZE-MIB BOOT-CODE|- TYPE:FILE...")
    out, size, code, parts = sys.argv[1], int(sys.argv[2]) * MIB, sys.argv[3], sys.argv[4:]
    boot = b""
    if code != "-":
        with open(code, "rb") as source:
            boot = source.read()
    if len(boot) > 440:
        sys.exit(f"disk.py: {code} is larger than the 440 bytes an MBR has for code")
    record = bytearray(boot.ljust(440, b"\0") + struct.pack("<IH", DISK_ID, 0))
    start = MIB
    with open(out, "wb") as target:
        target.truncate(size)
        for number, part in enumerate(parts):
            kind, path = part.split(":", 1)
            length = os.path.getsize(path)
            if start + length > size:
                sys.exit(f"disk.py: {path} does not fit into {size // MIB} MiB")
            record += bytes([0x80 if number == 0 else 0]) + NO_CHS + bytes([int(kind, 16)]) + NO_CHS
            record += struct.pack("<II", start // SECTOR, length // SECTOR)
            target.seek(start)
            with open(path, "rb") as source:
                copy(source, target)
            start = -(-(start + length) // MIB) * MIB
        target.seek(0)
        target.write(bytes(record).ljust(510, b"\0") + b"\x55\xaa")


if __name__ == "__main__":
    main()
