#!/usr/bin/env python3
"""Fetches the Debian packages of one group of image/packages.toml.

usage: fetch.py GROUP PACKAGES.toml WORK-DIR [--refresh]

apt does the fetching and checks the archive's signatures, in an apt root of
its own under WORK-DIR: the host's apt is neither used nor changed, and no
root is needed. The result is WORK-DIR/GROUP.json (name, version, arch, suite,
sha256 and file of every package) with the .debs beside it. When that list
still answers PACKAGES.toml and every file still has its checksum, the network
is not touched. It never installs anything and never accepts an unsigned suite.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib


class FetchError(Exception):
    """One line: what failed and what to do."""


def main(arguments):
    refresh = "--refresh" in arguments
    group_name, packages_file, work = [a for a in arguments if a != "--refresh"]
    with open(packages_file, "rb") as file:
        group = tomllib.load(file)[group_name]
    work = os.path.abspath(work)
    os.makedirs(work, exist_ok=True)
    lock = os.path.join(work, f"{group_name}.json")
    key = hashlib.sha256(json.dumps(group, sort_keys=True).encode()).hexdigest()
    if not refresh and cached(lock, key, work):
        return
    apt = Apt(os.path.join(work, f"{group_name}.apt"), group)
    apt.run("apt-get", "-q", "update")
    packages = resolve(apt, group)
    for package in packages:
        download(apt, package, work)
    with open(lock + ".new", "w", encoding="utf-8") as file:
        json.dump({"key": key, "packages": packages}, file, indent=1)
    os.replace(lock + ".new", lock)


def cached(lock, key, work):
    """Whether the last fetch still answers the group, byte for byte."""
    try:
        with open(lock, encoding="utf-8") as file:
            last = json.load(file)
        return last["key"] == key and all(
            sha256(os.path.join(work, p["file"])) == p["sha256"] for p in last["packages"])
    except (OSError, ValueError, KeyError):
        return False


def resolve(apt, group):
    """The packages of the group and the dependencies it follows, with versions."""
    found = {}
    for wanted in group["package"]:
        version = choose_version(apt, wanted)
        follow = re.compile(wanted["follow"]) if "follow" in wanted else None
        queue = [(wanted["name"], version)]
        while queue:
            name, version = queue.pop(0)
            record = apt.show(name, wanted["arch"], version)
            identity = (name, record["Architecture"])
            if identity in found:
                continue
            found[identity] = {
                "name": name, "version": record["Version"], "arch": record["Architecture"],
                "suite": wanted["suite"], "sha256": record["SHA256"],
                "file": f"{name}_{record['Version']}_{record['Architecture']}.deb".replace(":", "%3a"),
            }
            for dependency, exact in dependencies(record):
                if follow and follow.search(dependency):
                    queue.append((dependency, exact))
    return list(found.values())


def choose_version(apt, wanted):
    """The pinned version where the mirror has it, else the suite's newest."""
    versions = apt.versions(wanted["name"], wanted["arch"], wanted["suite"])
    if not versions:
        raise FetchError(f"{wanted['name']}:{wanted['arch']} is not in {wanted['suite']}; "
                         "correct image/packages.toml")
    if wanted["version"] in versions:
        return wanted["version"]
    print(f"  {wanted['name']} {wanted['version']} has left {wanted['suite']}; "
          f"using {versions[0]} (recorded in the manifest)", flush=True)
    return versions[0]


def dependencies(record):
    """(name, exact version or None) of each dependency; first of alternatives."""
    for clause in record.get("Depends", "").split(","):
        match = re.match(r"\s*([a-z0-9.+-]+)(?::\w+)?\s*(?:\(= ([^)]+)\))?", clause)
        if match:
            yield match.group(1), match.group(2)


def download(apt, package, work):
    """Downloads one package and checks it against the signed index."""
    path = os.path.join(work, package["file"])
    if not os.path.exists(path) or sha256(path) != package["sha256"]:
        name = qualified(package["name"], package["arch"])
        print(f"  {name} {package['version']}", flush=True)
        apt.run("apt-get", "-q", "download", f"{name}={package['version']}", cwd=work)
    if sha256(path) != package["sha256"]:
        raise FetchError(f"{path}: not the file that the archive's index promises; delete it and build again")


def qualified(name, arch):
    """A package's name for apt; apt knows "all" packages by the bare name only."""
    return name if arch == "all" else f"{name}:{arch}"


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Apt:
    """An apt root of its own: own sources, lists and cache, the host's proxy."""

    def __init__(self, root, group):
        if not os.path.exists(group["keyring"]):
            raise FetchError(f"{group['keyring']} is missing: apt-get install debian-archive-keyring")
        for folder in ("lists/partial", "cache/archives/partial", "state", "empty"):
            os.makedirs(os.path.join(root, folder), exist_ok=True)
        self._write(root, "status", "")
        sources = "".join(f"deb [signed-by={group['keyring']}] {line}\n" for line in group["sources"])
        self._write(root, "sources.list", sources)
        self._write(root, "apt.conf", self._configuration(root, group["architectures"]))
        self._environment = dict(os.environ, APT_CONFIG=os.path.join(root, "apt.conf"), LC_ALL="C")

    def run(self, *command, cwd=None):
        """Runs apt and returns what it printed; its own words on failure."""
        done = subprocess.run(command, env=self._environment, cwd=cwd, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            reason = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise FetchError(f"{' '.join(command)}: {'; '.join(reason) or done.stderr.strip()}")
        return done.stdout

    def versions(self, name, arch, suite):
        """The versions of a package in one suite, newest first."""
        rows = [row.split(" | ") for row in self.run("apt-cache", "madison", qualified(name, arch)).splitlines()]
        return [row[1].strip() for row in rows if f" {suite}/" in row[2]]

    def show(self, name, arch, version):
        """The index record of a package; the newest where no version is given."""
        exact = f"={version}" if version else ""
        try:
            text = self.run("apt-cache", "show", "--no-all-versions", qualified(name, arch) + exact)
        except FetchError:
            # A dependency that is the same on every architecture has no qualified name.
            text = self.run("apt-cache", "show", "--no-all-versions", name + exact)
        fields = re.findall(r"^([A-Za-z0-9-]+): (.*)$", text.split("\n\n")[0], re.MULTILINE)
        return dict(fields)

    @staticmethod
    def _configuration(root, architectures):
        # How this host reaches an archive (proxy, time-outs) holds for us as well.
        host = subprocess.run(["apt-config", "dump"], text=True, check=True, stdout=subprocess.PIPE).stdout
        lines = [line for line in host.splitlines()
                 if line.startswith("Acquire::") and "IndexTargets" not in line]
        folders = {
            "Dir::State": "state", "Dir::State::lists": "lists", "Dir::State::status": "status",
            "Dir::Cache": "cache", "Dir::Etc::sourcelist": "sources.list", "Dir::Etc::sourceparts": "empty",
            "Dir::Etc::parts": "empty", "Dir::Etc::preferencesparts": "empty", "Dir::Etc::trustedparts": "empty",
        }
        lines += [f'{key} "{root}/{value}";' for key, value in folders.items()]
        lines += [f'{key} "/dev/null";' for key in
                  ("Dir::Etc::main", "Dir::Etc::preferences", "Dir::Etc::trusted")]
        lines += [f'APT::Architecture "{architectures[0]}";',
                  "APT::Architectures {" + " ".join(f'"{a}";' for a in architectures) + "};",
                  'Acquire::Languages "none";', 'Acquire::AllowInsecureRepositories "false";',
                  'Acquire::Retries "3";', 'APT::Sandbox::User "";', 'APT::Get::AllowUnauthenticated "false";']
        return "\n".join(lines) + "\n"

    @staticmethod
    def _write(root, name, text):
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except FetchError as error:
        sys.exit(f"image/build: {error}")
