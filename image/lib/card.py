#!/usr/bin/env python3
"""Joins the two partitions to a card image and describes it.

usage: card.py join BOOT.fat STATE.ext4 OUTPUT.img
       card.py bmap IMAGE OUTPUT.bmap
       card.py manifest OUTPUT.json NAME=VALUE... [--packages FILE.json]...
               [--modules FILE.json] [--file NAME=PATH]...

The image is exactly 256 MiB: the emulator wants a power of two, and every
card is larger. The partition table has a fixed disk id, so the image depends
on nothing but the two partitions.
"""

import hashlib
import json
import os
import struct
import sys

MIB = 1 << 20
SECTOR = 512
IMAGE_SIZE = 256 * MIB
# 4 MiB: the erase block of usual cards, so that a partition never shares one.
BOOT_START, BOOT_SIZE = 4 * MIB, 188 * MIB
STATE_START, STATE_SIZE = 192 * MIB, 64 * MIB
DISK_ID = 0x70786562
FAT32_LBA, LINUX = 0x0C, 0x83
_BLOCK = 4096


def join(boot, state, output):
    """Writes the partition table and both partitions, leaving zeros as holes."""
    with open(output + ".new", "wb") as image:
        image.truncate(IMAGE_SIZE)
        image.write(partition_table())
        for source, start, size in ((boot, BOOT_START, BOOT_SIZE), (state, STATE_START, STATE_SIZE)):
            if os.path.getsize(source) != size:
                sys.exit(f"image/build: {source} is {os.path.getsize(source)} bytes, not {size}")
            copy_sparse(source, image, start)
    os.replace(output + ".new", output)


def partition_table():
    """The master boot record: two primary partitions, the first one active."""
    def entry(active, kind, start, size):
        # Cylinders, heads and sectors are past their limit for anybody who still asks.
        return struct.pack("<B3sB3sII", 0x80 if active else 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff",
                           start // SECTOR, size // SECTOR)
    entries = entry(True, FAT32_LBA, BOOT_START, BOOT_SIZE) + entry(False, LINUX, STATE_START, STATE_SIZE)
    return bytes(440) + struct.pack("<IH", DISK_ID, 0) + entries + bytes(32) + b"\x55\xaa"


def copy_sparse(source, image, start):
    """Copies a file into the image and skips blocks of zeros."""
    with open(source, "rb") as file:
        offset = start
        while block := file.read(_BLOCK):
            if block.strip(b"\0"):
                image.seek(offset)
                image.write(block)
            offset += len(block)


def used_ranges(image):
    """(first block, last block) of what must be written to a card.

    All of the image up to the last used cluster of the boot partition, and all
    of the state partition. Zeros in them count: a card holds old data, and a
    file system reads its empty tables, too.
    """
    boot_end = BOOT_START + fat_used_bytes(image, BOOT_START)
    return [(0, (boot_end - 1) // _BLOCK),
            (STATE_START // _BLOCK, (STATE_START + STATE_SIZE) // _BLOCK - 1)]


def fat_used_bytes(image, start):
    """How far into a FAT32 partition its last used cluster reaches."""
    with open(image, "rb") as file:
        file.seek(start)
        boot = file.read(SECTOR)
        sector_size, per_cluster, reserved, tables = struct.unpack_from("<HBHB", boot, 11)
        table_sectors = struct.unpack_from("<I", boot, 36)[0]
        file.seek(start + reserved * sector_size)
        table = file.read(table_sectors * sector_size)
    entries = struct.unpack(f"<{len(table) // 4}I", table)
    clusters = max(number for number, entry in enumerate(entries) if entry & 0x0FFFFFFF) - 1
    return (reserved + tables * table_sectors + clusters * per_cluster) * sector_size


def bmap(image, output):
    """Writes the block map (format 2.0) that bmaptool and image/flash read."""
    ranges = used_ranges(image)
    size = os.path.getsize(image)
    mapped = sum(last - first + 1 for first, last in ranges)
    lines = ['<?xml version="1.0" ?>', '<bmap version="2.0">',
             f"    <ImageSize> {size} </ImageSize>", f"    <BlockSize> {_BLOCK} </BlockSize>",
             f"    <BlocksCount> {size // _BLOCK} </BlocksCount>",
             f"    <MappedBlocksCount> {mapped} </MappedBlocksCount>",
             "    <ChecksumType> sha256 </ChecksumType>"]
    # The file's own checksum is computed over itself with zeros in its place.
    place = "0" * 64
    lines += [f"    <BmapFileChecksum> {place} </BmapFileChecksum>", "    <BlockMap>"]
    with open(image, "rb") as file:
        for first, last in ranges:
            file.seek(first * _BLOCK)
            digest = hashlib.sha256(file.read((last - first + 1) * _BLOCK)).hexdigest()
            lines.append(f'        <Range chksum="{digest}"> {first}-{last} </Range>')
    text = "\n".join(lines + ["    </BlockMap>", "</bmap>"]) + "\n"
    text = text.replace(place, hashlib.sha256(text.encode()).hexdigest())
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


def manifest(output, arguments):
    """Writes what the image was made of."""
    result = {"packages": [], "files": {}}
    words = iter(arguments)
    for word in words:
        if word == "--packages":
            path = next(words)
            with open(path, encoding="utf-8") as file:
                for package in json.load(file)["packages"]:
                    result["packages"].append(
                        {key: package[key] for key in ("name", "version", "arch", "suite", "sha256")})
        elif word == "--modules":
            with open(next(words), encoding="utf-8") as file:
                result["modules"] = json.load(file)
        elif word == "--file":
            name, _, path = next(words).partition("=")
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            result["files"][name] = {"bytes": os.path.getsize(path), "sha256": digest}
        else:
            name, _, value = word.partition("=")
            result[name] = int(value) if value.isdigit() else value
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["join", boot_file, state_file, image_file]:
            join(boot_file, state_file, image_file)
        case ["bmap", image_file, bmap_file]:
            bmap(image_file, bmap_file)
        case ["manifest", manifest_file, *rest]:
            manifest(manifest_file, rest)
        case _:
            sys.exit(__doc__)
