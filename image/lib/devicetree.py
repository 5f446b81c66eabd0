"""Reads a flattened device tree (.dtb): just what the module check needs.

It walks the nodes of the structure block and yields those that Linux makes
devices of: not disabled, and not below a disabled node. It does not follow
phandles, apply overlays or check what the values mean.
"""

import struct

_MAGIC = 0xD00DFEED
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9


class DeviceTreeError(Exception):
    """The file is not a device tree; the message names it."""


def nodes(path):
    """Yields (node path, {property: bytes}) for every node, parents first."""
    with open(path, "rb") as file:
        blob = file.read()
    if len(blob) < 40 or struct.unpack_from(">I", blob)[0] != _MAGIC:
        raise DeviceTreeError(f"{path}: not a device tree blob")
    _, _, struct_start, strings_start = struct.unpack_from(">4I", blob)
    names, properties, found = [], [], []
    at = struct_start
    while True:
        token = struct.unpack_from(">I", blob, at)[0]
        at += 4
        if token == _BEGIN_NODE:
            end = blob.index(b"\0", at)
            names.append(blob[at:end].decode())
            properties.append({})
            found.append(("/".join(names) or "/", properties[-1]))
            at = _aligned(end + 1)
        elif token == _END_NODE:
            names.pop()
            properties.pop()
        elif token == _PROP:
            length, name_offset = struct.unpack_from(">2I", blob, at)
            at += 8
            name_at = strings_start + name_offset
            name = blob[name_at:blob.index(b"\0", name_at)].decode()
            properties[-1][name] = blob[at:at + length]
            at = _aligned(at + length)
        elif token == _END:
            return found
        elif token != _NOP:
            raise DeviceTreeError(f"{path}: unknown token {token} at byte {at - 4}")


def enabled_compatibles(path):
    """{compatible string: path of the first enabled node that has it}."""
    result = {}
    disabled = []
    for node, properties in nodes(path):
        if any(node.startswith(parent + "/") for parent in disabled):
            continue
        status = properties.get("status", b"okay\0").rstrip(b"\0")
        if status not in (b"okay", b"ok"):
            disabled.append(node)
            continue
        for name in properties.get("compatible", b"").split(b"\0"):
            if name:
                result.setdefault(name.decode(), node)
    return result


def model(path):
    """The `model` of the root node, as /proc/device-tree/model shows it."""
    return nodes(path)[0][1].get("model", b"").rstrip(b"\0").decode()


def _aligned(offset):
    return (offset + 3) & ~3
