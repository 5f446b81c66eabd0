#!/usr/bin/env python3
"""Write an exFAT file system that holds the content of a folder.

exfat.py OUT.img SIZE-MIB FOLDER [HIDDEN-SECTORS]

No packaged tool copies files into an exFAT image without mounting it, so this
writes one from Microsoft's published specification: every file in one piece, one
FAT, times 0. It refuses names that exFAT cannot hold. `fsck.exfat -n` is the judge.
"""
import os
import struct
import sys

SECTOR = 512
FAT_OFFSET = 128  # sectors; leaves room for the two boot regions of 12
LABEL = "PXE-STICK"
SERIAL = 0x70786562
TIME = (2016 - 1980) << 25 | 10 << 21 | 1 << 16  # 2016-10-01 00:00
END_OF_CHAIN = 0xFFFFFFFF
FORBIDDEN = set('"*/:<>?\\|')


def rotate_sum(data, bits, skip=()):
    """exFAT's checksum: rotate right by one, add the byte."""
    mask, total = (1 << bits) - 1, 0
    for position, byte in enumerate(data):
        if position not in skip:
            total = (((total & 1) << (bits - 1)) + (total >> 1) + byte) & mask
    return total


def up_case(code):
    upper = chr(code).upper()
    return ord(upper) if len(upper) == 1 and ord(upper) < 0x10000 else code


def up_case_table():
    """All 65536 characters; runs that map to themselves are 0xFFFF, length."""
    table, code = [], 0
    while code < 0x10000:
        run = code
        while run < 0x10000 and (up_case(run) == run or 0xD800 <= run < 0xE000):
            run += 1
        if run > code:
            length = min(run - code, 0xFFFF)
            table += [0xFFFF, length]
            code += length
        else:
            table.append(up_case(code))
            code += 1
    return struct.pack(f"<{len(table)}H", *table)


class Volume:
    """Geometry, and a writer that gives out clusters from the start."""

    def __init__(self, out, size):
        self.out, self.sectors = out, size // SECTOR
        self.shift = 3 if size <= 256 << 20 else 6  # 4 or 32 KiB clusters, the usual defaults
        self.cluster = SECTOR << self.shift
        most = (self.sectors - FAT_OFFSET) >> self.shift
        self.fat_sectors = -(-(most + 2) * 4 // SECTOR)
        step = 1 << self.shift
        self.heap = -(-(FAT_OFFSET + self.fat_sectors) // step) * step
        self.count = (self.sectors - self.heap) >> self.shift
        self.next = 2
        self.fat = [0xFFFFFFF8, END_OF_CHAIN]
        out.truncate(size)

    def take(self, length, chained=False):
        """Reserve consecutive clusters; return the first."""
        need, first = -(-length // self.cluster), self.next
        self.next += need
        if self.next - 2 > self.count:
            sys.exit("exfat.py: the content does not fit: use a larger --size")
        if chained:
            self.fat += [0] * (self.next - len(self.fat))
            self.fat[first : self.next] = [*range(first + 1, self.next), END_OF_CHAIN]
        return first

    def seek(self, cluster):
        self.out.seek(self.heap * SECTOR + (cluster - 2) * self.cluster)

    def write(self, cluster, data):
        self.seek(cluster)
        self.out.write(data)


def file_entries(name, attributes, first, length):
    """The directory entries of one file or folder."""
    bad = sorted(set(name) & FORBIDDEN)
    units = name.encode("utf-16-le")
    if bad or len(units) // 2 > 255:
        sys.exit(f"exfat.py: {name}: exFAT cannot hold this name {''.join(bad)}: rename it")
    upper = b"".join(struct.pack("<H", up_case(u)) for u, in struct.iter_unpack("<H", units))
    flags = 0x03 if length else 0x01  # allocation possible; NoFatChain when there is any
    stream = struct.pack("<BBxBHxxQxxxxIQ", 0xC0, flags, len(units) // 2, rotate_sum(upper, 16), length, first, length)
    names = b""
    for start in range(0, len(units), 30):
        names += b"\xc1\0" + units[start : start + 30].ljust(30, b"\0")
    count = 1 + len(names) // 32
    head = struct.pack("<BBHHxxIIIBBBBB7x", 0x85, count, 0, attributes, TIME, TIME, TIME, 0, 0, 0x80, 0x80, 0x80)
    whole = bytearray(head + stream + names)
    struct.pack_into("<H", whole, 2, rotate_sum(whole, 16, (2, 3)))
    return bytes(whole)


def store(volume, path):
    """Write a file's bytes; return (first cluster, length)."""
    length = os.path.getsize(path)
    if length == 0:
        return 0, 0
    first = volume.take(length)
    volume.seek(first)
    with open(path, "rb") as source:
        while block := source.read(1 << 20):
            volume.out.write(block)
    return first, length


def store_folder(volume, path):
    """Entries of a folder's content, all of it written."""
    entries = b""
    for name in sorted(os.listdir(path)):
        inner = os.path.join(path, name)
        if os.path.isdir(inner):
            body = store_folder(volume, inner)
            length = max(1, -(-len(body) // volume.cluster)) * volume.cluster
            first = volume.take(length)
            volume.write(first, body.ljust(length, b"\0"))
            entries += file_entries(name, 0x10, first, length)
        else:
            entries += file_entries(name, 0x20, *store(volume, inner))
    return entries


def boot_region(volume, root, hidden):
    sector = bytearray(struct.pack(
        "<3s8s53xQQIIIIIIHHBBBBB7x", b"\xeb\x76\x90", b"EXFAT   ", hidden, volume.sectors, FAT_OFFSET,
        volume.fat_sectors, volume.heap, volume.count, root, SERIAL, 0x0100, 0, 9, volume.shift, 1, 0x80,
        (volume.next - 2) * 100 // volume.count)).ljust(510, b"\xf4") + b"\x55\xaa"
    extended = (bytes(510) + b"\x55\xaa") * 8
    region = bytes(sector) + extended + bytes(2 * SECTOR)
    return region + struct.pack("<I", rotate_sum(region, 32, (106, 107, 112))) * (SECTOR // 4)


def build(out, size, folder, hidden):
    volume = Volume(out, size)
    upper = up_case_table()
    bitmap_bytes = -(-volume.count // 8)
    bitmap = volume.take(bitmap_bytes, chained=True)
    table = volume.take(len(upper), chained=True)
    volume.write(table, upper)
    label = LABEL.encode("utf-16-le")
    entries = bytes([0x83, len(LABEL)]) + label.ljust(30, b"\0")
    entries += struct.pack("<B19xIQ", 0x81, bitmap, bitmap_bytes)
    entries += struct.pack("<BxxxI12xIQ", 0x82, rotate_sum(upper, 32), table, len(upper))
    entries += store_folder(volume, folder)
    root = volume.take(len(entries), chained=True)
    volume.write(root, entries.ljust(-(-len(entries) // volume.cluster) * volume.cluster, b"\0"))
    used = volume.next - 2
    volume.write(bitmap, ((1 << used) - 1).to_bytes(bitmap_bytes, "little"))
    out.seek(FAT_OFFSET * SECTOR)
    out.write(struct.pack(f"<{len(volume.fat)}I", *volume.fat))
    out.seek(0)
    out.write(boot_region(volume, root, hidden) * 2)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: exfat.py OUT.img SIZE-MIB FOLDER [HIDDEN-SECTORS]")
    with open(sys.argv[1], "wb") as out:
        build(out, int(sys.argv[2]) << 20, sys.argv[3], int(sys.argv[4]) if len(sys.argv) == 5 else 0)


if __name__ == "__main__":
    main()
