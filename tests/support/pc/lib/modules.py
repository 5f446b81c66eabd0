#!/usr/bin/env python3
"""Copy kernel modules and everything they depend on into one flat folder.

modules.py MODULE-TREE OUT-FOLDER NAME...

Debian's kernel package carries no modules.dep (depmod runs when it is
installed), so the dependencies are read from each module's own .modinfo.
OUT-FOLDER gets NAME.ko (with '_' for '-') and, for each NAME, NAME.order: the
files to insmod for it, one a line, in the order that works.
"""
import os
import re
import shutil
import sys


def index(tree):
    """Module name -> path of its file."""
    found = {}
    for base, _, files in os.walk(tree):
        for name in files:
            if name.endswith(".ko"):
                found[name[:-3].replace("-", "_")] = os.path.join(base, name)
    return found


def depends(path):
    """The names in the module's "depends=" line."""
    with open(path, "rb") as source:
        line = re.search(rb"\0depends=([^\0]*)\0", source.read())
    names = line.group(1).decode().split(",") if line else []
    return [name.replace("-", "_") for name in names if name]


def closure(name, files, order):
    """Append the module to the order, after all that it needs."""
    if name in order:
        return
    if name not in files:
        sys.exit(f"modules.py: the kernel package has no module {name}: choose another kernel")
    for needed in depends(files[name]):
        closure(needed, files, order)
    order.append(name)


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: modules.py MODULE-TREE OUT-FOLDER NAME...")
    tree, out, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    files = index(tree)
    os.makedirs(out, exist_ok=True)
    for wanted in names:
        order = []
        closure(wanted, files, order)
        for name in order:
            shutil.copyfile(files[name], os.path.join(out, name + ".ko"))
        with open(os.path.join(out, wanted + ".order"), "w", encoding="ascii") as listing:
            listing.write("".join(f"{name}.ko\n" for name in order))


if __name__ == "__main__":
    main()
