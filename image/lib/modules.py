#!/usr/bin/env python3
"""Chooses the kernel modules of the image and the order to load them in.

usage: modules.py KERNEL-ROOT RELEASE BOARD-DIR MODULES.toml OUTPUT-DIR

KERNEL-ROOT holds lib/modules/RELEASE (with depmod's files) and the device
trees in lib/linux-image-RELEASE/broadcom. Wanted are: what image/modules.toml
names, what each enabled device of each board's device tree matches, what
board/*.toml adds, and all that these depend on. OUTPUT-DIR gets the modules,
flat and uncompressed, `load-order`, and `report.json`.

Afterwards every board is checked against what was written. A device whose
driver is neither there nor ignored with a reason stops the build.
"""

import collections
import glob
import json
import lzma
import os
import re
import struct
import sys
import tomllib

import devicetree

EARLY_FIRST = "bcm2835_wdt"
_SIGNATURE_MARK = b"~Module signature appended~\n"


class ModulesError(Exception):
    """One line: which module or device, and what to change."""


def main(kernel_root, release, board_dir, wanted_file, output):
    kernel = Kernel(os.path.join(kernel_root, "lib/modules", release))
    dtb_dir = os.path.join(kernel_root, "lib", f"linux-image-{release}", "broadcom")
    boards = read_boards(board_dir, dtb_dir)
    ignored = read_ignored(os.path.join(board_dir, "ignored-compatibles.txt"))
    with open(wanted_file, "rb") as file:
        wanted = tomllib.load(file)

    early, late = list(wanted["early"]), list(wanted["late"])
    for name in derived(kernel, boards, ignored):
        folder_is_late = kernel.path(name).startswith(tuple(wanted["late_folders"]))
        (late if folder_is_late else early).append(name)
    for board in boards:
        early += board["modules"] + ([board["ethernet"]] if board["ethernet"] else [])
    if not early or early[0] != EARLY_FIRST:
        raise ModulesError(f"{wanted_file}: {EARLY_FIRST} must come first: a Pi without it cannot reboot")

    ordered_early = kernel.closure(early, already=())
    ordered_late = kernel.closure(late, already=ordered_early)
    size = write(kernel, ordered_early, ordered_late, release, output)
    uncovered = check(kernel, boards, ignored, output)
    if uncovered:
        raise ModulesError(uncovered[0])
    print(f"{len(ordered_early) + len(ordered_late)} modules, {size / 1e6:.1f} MB, "
          f"for {len(boards)} boards")


def derived(kernel, boards, ignored):
    """The modules that the boards' devices match, sorted by where they live."""
    names = set()
    for board in boards:
        for compatibles in board["trees"].values():
            for compatible in compatibles:
                if compatible not in ignored:
                    names.update(kernel.modules_for(compatible))
    return sorted(names, key=kernel.path)


def check(kernel, boards, ignored, output):
    """One line for each device of a board whose driver did not get written."""
    with open(os.path.join(output, "load-order"), encoding="utf-8") as file:
        listed = {canonical(line) for line in file if line.endswith(".ko\n")}
    present = {canonical(name) for name in os.listdir(output) if name.endswith(".ko")}
    gaps, seen = [], set()
    for board in boards:
        for tree, compatibles in board["trees"].items():
            seen.update(compatibles)
            for compatible, node in compatibles.items():
                for module in kernel.modules_for(compatible):
                    if compatible not in ignored and not (module in listed and module in present):
                        gaps.append(f"{board['file']}: {tree} {node} ({compatible}) needs {module}.ko, which is "
                                    "not in the image: add it to image/modules.toml, or the device and the "
                                    "reason to board/ignored-compatibles.txt")
        for module in board["modules"] + ([board["ethernet"]] if board["ethernet"] else []):
            if canonical(module) not in present and canonical(module) not in kernel.builtin:
                gaps.append(f"{board['file']}: {module}.ko is not in the image")
    gaps += [f"board/ignored-compatibles.txt: no board has {compatible} any more: remove the line"
             for compatible in sorted(set(ignored) - seen)]
    return gaps


def write(kernel, early, late, release, output):
    """Writes the modules and their order; returns their size in bytes."""
    os.makedirs(output, exist_ok=True)
    for old in os.listdir(output):
        os.unlink(os.path.join(output, old))
    lines = [f"# Modules of Linux {release}, in the order to load them in.", "[early]"]
    size = 0
    for section, names in (("early", early), ("late", late)):
        if section == "late":
            lines.append("[late]")
        for name in names:
            file_name = os.path.basename(kernel.path(name)).partition(".ko")[0] + ".ko"
            data = kernel.read(name)
            with open(os.path.join(output, file_name), "xb") as file:
                file.write(data)
            size += len(data)
            lines.append(file_name)
    with open(os.path.join(output, "load-order"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    with open(os.path.join(output, "report.json"), "w", encoding="utf-8") as file:
        json.dump({"release": release, "early": early, "late": late, "bytes": size}, file, indent=1)
    return size


def read_boards(board_dir, dtb_dir):
    """The board files, each with its device trees' enabled compatibles."""
    boards = []
    for path in sorted(glob.glob(os.path.join(board_dir, "*.toml"))):
        if os.path.basename(path) == "pxeberry.toml":
            continue
        with open(path, "rb") as file:
            board = tomllib.load(file)
        board["file"] = "board/" + os.path.basename(path)
        board["trees"] = {}
        for tree in board["dtb"]:
            tree_path = os.path.join(dtb_dir, tree)
            if not os.path.exists(tree_path):
                raise ModulesError(f"{board['file']}: the kernel package has no {tree}")
            board["trees"][tree] = devicetree.enabled_compatibles(tree_path)
        boards.append(board)
    return boards


def read_ignored(path):
    """{compatible: reason}; a line without a reason is refused."""
    ignored = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            compatible, _, reason = line.strip().partition(" ")
            if not reason.strip():
                raise ModulesError(f"{path}:{number}: {compatible} has no reason beside it")
            ignored[compatible] = reason.strip()
    return ignored


def without_signature(module):
    """The module without the signature that the kernel's build appends."""
    if not module.endswith(_SIGNATURE_MARK):
        return module
    end = len(module) - len(_SIGNATURE_MARK)
    # struct module_signature: five small fields, padding, the length in big endian.
    length = struct.unpack_from(">8xI", module, end - 12)[0]
    return module[:end - 12 - length]


def canonical(name):
    """A module's name as the kernel spells it: `xhci-pci.ko` is `xhci_pci`."""
    return name.strip().partition(".ko")[0].replace("-", "_")


class Kernel:
    """The modules of one kernel, from the files that depmod writes."""

    def __init__(self, folder):
        self._folder = folder
        self._paths, self._needs = {}, {}
        for line in self._lines("modules.dep"):
            path, _, needs = line.partition(":")
            name = canonical(os.path.basename(path))
            self._paths[name] = path
            # modules.dep lists the nearest dependency first; loading goes the other way.
            self._needs[name] = [canonical(os.path.basename(need)) for need in reversed(needs.split())]
        self.builtin = {canonical(os.path.basename(line)) for line in self._lines("modules.builtin")}
        self._before, self._after = collections.defaultdict(list), collections.defaultdict(list)
        for line in self._lines("modules.softdep"):
            self._read_softdep(line)
        self._by_compatible = collections.defaultdict(set)
        for line in self._lines("modules.alias"):
            match = re.match(r"alias of:N\*T\*C(.+?)(?:C\*)? (\S+)$", line)
            if match:
                self._by_compatible[match.group(1)].add(canonical(match.group(2)))

    def modules_for(self, compatible):
        """The loadable modules that drive devices of this compatible."""
        return self._by_compatible.get(compatible, ())

    def path(self, name):
        """The module's path below lib/modules/RELEASE."""
        try:
            return self._paths[canonical(name)]
        except KeyError:
            raise ModulesError(f"this kernel has no module {name}: correct image/modules.toml "
                               "or board/*.toml") from None

    def read(self, name):
        """The module's bytes, uncompressed and without the signature.

        The signatures would prove nothing, as nothing proves the initramfs they
        came in, and checking 80 of them is most of the time that loading takes.
        """
        return without_signature(self._uncompressed(name))

    def _uncompressed(self, name):
        path = os.path.join(self._folder, self.path(name))
        if path.endswith(".xz"):
            with lzma.open(path) as file:
                return file.read()
        if not path.endswith(".ko"):
            raise ModulesError(f"{path}: this compression is not known; add it to image/lib/modules.py")
        with open(path, "rb") as file:
            return file.read()

    def closure(self, names, already):
        """`names` and all they need, each after what it needs, none twice."""
        ordered, done = [], set(already)

        def add(name):
            if name in done or name in self.builtin:
                return
            self.path(name)
            done.add(name)
            for need in self._before[name] + self._needs[name]:
                add(need)
            ordered.append(name)
            for follower in self._after[name]:
                add(follower)

        for name in names:
            add(canonical(name))
        return ordered

    def _read_softdep(self, line):
        match = re.match(r"softdep (\S+)(.*)$", line)
        if not match:
            return
        name, target = canonical(match.group(1)), None
        for word in match.group(2).split():
            if word in ("pre:", "post:"):
                target = self._before if word == "pre:" else self._after
            elif target is not None and (canonical(word) in self._paths or canonical(word) in self.builtin):
                # A softdep may name an algorithm or a module that this kernel lacks.
                target[name].append(canonical(word))

    def _lines(self, name):
        with open(os.path.join(self._folder, name), encoding="utf-8") as file:
            return file.read().splitlines()


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ModulesError, devicetree.DeviceTreeError) as error:
        sys.exit(f"image/build: {error}")
