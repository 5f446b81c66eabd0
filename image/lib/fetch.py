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

_FIELD = re.compile(r"^(Package|Version|Architecture|Depends|SHA256|Size): (.*)$", re.MULTILINE)


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
    packages = resolve(apt.index(), group)
    download(apt, packages, work)
    with open(lock + ".new", "w", encoding="utf-8") as file:
        json.dump({"key": key, "packages": packages}, file, indent=1)
    os.replace(lock + ".new", lock)


def cached(lock, key, work):
    """Whether the last fetch still answers the group, byte for byte."""
    try:
        with open(lock, encoding="utf-8") as file:
            last = json.load(file)
        return last["key"] == key and all(intact(p, work) for p in last["packages"])
    except (OSError, ValueError, KeyError):
        return False


def resolve(index, group):
    """The packages of the group and the dependencies it follows, with versions."""
    found = {}
    for wanted in group["package"]:
        follow = re.compile(wanted["follow"]) if "follow" in wanted else None
        queue = [choose(index, wanted)]
        while queue:
            record = queue.pop(0)
            identity = (record["Package"], record["Architecture"])
            if identity in found:
                continue
            found[identity] = {
                "name": record["Package"], "version": record["Version"], "arch": record["Architecture"],
                "suite": record["suite"], "sha256": record["SHA256"], "bytes": int(record["Size"]),
                "file": "{Package}_{Version}_{Architecture}.deb".format(**record).replace(":", "%3a"),
            }
            for name, exact in dependencies(record):
                if follow and follow.search(name):
                    queue.append(pick(index, name, wanted["arch"], exact))
    return list(found.values())


def choose(index, wanted):
    """The pinned version where the suite has it, else the suite's newest."""
    records = [r for r in index.get((wanted["name"], wanted["arch"]), ()) if r["suite"] == wanted["suite"]]
    if not records:
        raise FetchError(f"{wanted['name']}:{wanted['arch']} is not in {wanted['suite']}; "
                         "correct image/packages.toml")
    for record in records:
        if record["Version"] == wanted["version"]:
            return record
    newest = newest_of(records)
    print(f"  {wanted['name']} {wanted['version']} has left {wanted['suite']}; "
          f"using {newest['Version']} (recorded in the manifest)", flush=True)
    return newest


def pick(index, name, arch, exact):
    """The record of a dependency: of the version it demands, else the newest."""
    records = index.get((name, arch)) or index.get((name, "all")) or []
    records = [r for r in records if exact in (None, r["Version"])]
    if not records:
        raise FetchError(f"{name}:{arch} {exact or ''} is in none of the suites: run image/build --refresh later")
    return newest_of(records)


def newest_of(records):
    """The record with the highest version, as dpkg compares them."""
    newest = records[0]
    for record in records[1:]:
        if subprocess.run(["dpkg", "--compare-versions", record["Version"], "gt", newest["Version"]],
                          check=False).returncode == 0:
            newest = record
    return newest


def dependencies(record):
    """(name, exact version or None) of each dependency; first of alternatives."""
    for clause in record.get("Depends", "").split(","):
        match = re.match(r"\s*([a-z0-9.+-]+)(?::\w+)?\s*(?:\(= ([^)]+)\))?", clause)
        if match:
            yield match.group(1), match.group(2)


def download(apt, packages, work):
    """Downloads what is not there and checks it against the signed index."""
    missing = [p for p in packages if not intact(p, work)]
    if missing:
        size = sum(p.pop("bytes") for p in missing)
        print(f"  {len(missing)} packages, {size / 1e6:.0f} MB", flush=True)
        names = [f"{qualified(p['name'], p['arch'])}={p['version']}" for p in missing]
        apt.run("apt-get", "-q", "download", *names, cwd=work)
    for package in packages:
        package.pop("bytes", None)
        if not intact(package, work):
            raise FetchError(f"{work}/{package['file']}: not what the archive's index promises; "
                             "delete it and build again")


def intact(package, work):
    """Whether the package is there with the checksum that the index gives."""
    path = os.path.join(work, package["file"])
    return os.path.exists(path) and sha256(path) == package["sha256"]


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

    def index(self):
        """{(name, arch): [record, …]} of all the suites, from the lists that apt has verified."""
        found = {}
        targets = self.run("apt-get", "indextargets", "--format", "$(CODENAME) $(FILENAME)", "Created-By: Packages")
        for target in targets.splitlines():
            suite, _, path = target.partition(" ")
            for paragraph in self.run("/usr/lib/apt/apt-helper", "cat-file", path).split("\n\n"):
                record = dict(_FIELD.findall(paragraph))
                if record:
                    record["suite"] = suite
                    found.setdefault((record["Package"], record["Architecture"]), []).append(record)
        return found

    @staticmethod
    def _configuration(root, architectures):
        # How this host reaches an archive (proxy, time-outs) holds for us as well.
        host = subprocess.run(["apt-config", "dump"], text=True, check=True, stdout=subprocess.PIPE).stdout
        lines = [line for line in host.splitlines()
                 if line.startswith("Acquire::") and not re.match(r"Acquire::(IndexTargets|GzipIndexes)", line)]
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
