#!/usr/bin/env python3
"""Builds the guests' standard library from source, for a machine that rustup's server is out of reach of.

    standard-library.py RELEASE DESTINATION

installs the library of Rust RELEASE (such as 1.95.0) as DESTINATION, the folder of the target wasm32-wasip2 in a
sysroot. Two sources are needed: the standard library of the compiler's very version, and wasi-libc. They come from
the folder that AMPOULE_RUST_SOURCE names, in which lie `rust-library-RELEASE.tar.xz` and `wasi-libc*.deb`; else from
the Debian archive; else from such a folder beside the repository, `../shared/toolchain`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TARGET = "wasm32-wasip2"
REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE_VARIABLE = "AMPOULE_RUST_SOURCE"
SOURCE_BESIDE_THE_REPOSITORY = REPOSITORY / "../shared/toolchain"

# Suites of Debian that carry current versions of Rust and wasi-libc.
SUITES = ["trixie-backports", "forky", "sid"]

# Debian's key ring, where a machine has one outside apt's default place.
KEY_RINGS = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
]


class Failure(Exception):
    """Told to the user in one line."""


def run(command, **options):
    """Returns what a program prints; fails with what it says is wrong."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    except OSError as error:
        raise Failure(f"`{command[0]}` could not be started: {error.strerror}")
    if done.returncode != 0:
        raise Failure(f"`{' '.join(map(str, command))}` failed ({done.returncode})\n{done.stderr.strip()}")
    return done.stdout


def first(folder, pattern, missing):
    """Returns the first file of a folder, by name, that fits a pattern."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise Failure(missing)
    return found[0]


def from_folder(folder, release, work):
    """Unpacks the sources of a folder; returns the folders `library` and wasi-libc."""
    archive = folder / f"rust-library-{release}.tar.xz"
    if not folder.is_dir():
        raise Failure(f"no folder {folder}")
    if not archive.is_file():
        raise Failure(f"no {archive.name} in {folder} (this compiler is {release})")
    package = first(folder, "wasi-libc*.deb", f"no wasi-libc*.deb in {folder}")
    with tarfile.open(archive) as opened:
        # Newer versions of Python ask for a filter, older ones know of none.
        opened.extractall(work, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
    return work / "library", unpack(package, work / "wasi-libc")


def unpack(package, destination):
    run(["dpkg-deb", "--extract", package, destination])
    return destination


def from_debian(release, work):
    """Fetches the sources with apt, from the mirror that this machine uses already.

    The suites are asked through a package list of our own: the machine's configuration and lists stay as they are,
    and no root is needed. apt checks the archive's signatures as always.
    """
    if not shutil.which("apt-get"):
        raise Failure("`apt-get` is not in PATH, so the Debian archive cannot be asked")
    options = apt_options(mirror(), work)
    looked_for = f"looked for rust-src {release} in the suites {' '.join(SUITES)} of this machine's Debian mirror"
    try:
        run(["apt-get", *options, "update"])
        unreachable = None
    except Failure as failure:
        unreachable = failure
    versions = madison_versions(run(["apt-cache", *options, "madison", "rust-src"]))
    version = next((version for version in versions if is_of_release(version, release)), None)
    if version is None:
        raise Failure(f"{looked_for}, which have only {', '.join(versions) or unreachable or 'nothing'}")
    print(f"Downloading rust-src {version} and wasi-libc with apt-get.", file=sys.stderr)
    packages = work / "packages"
    packages.mkdir()
    run(["apt-get", *options, "download", f"rust-src={version}", "wasi-libc"], cwd=packages)
    rust = unpack(first(packages, "rust-src_*.deb", "apt-get downloaded no rust-src"), work / "rust-src")
    libc = unpack(first(packages, "wasi-libc_*.deb", "apt-get downloaded no wasi-libc"), work / "wasi-libc")
    library = rust / f"usr/src/rustc-{release}/library"
    if not library.is_dir():
        raise Failure(f"Debian's rust-src {version} has no usr/src/rustc-{release}/library")
    return library, libc


def mirror():
    """Returns the first site that apt uses for the Debian release that this machine runs."""
    codename = debian_codename(Path("/etc/os-release").read_text())
    targets = ["indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Codename: {codename}"]
    sites = run(["apt-get", *targets]).split()
    if not sites:
        raise Failure(f"apt has no site for {codename}: run `apt-get update` once, or add a Debian mirror to it")
    return sites[0]


def debian_codename(os_release):
    r"""Returns VERSION_CODENAME of an os-release file, if it is Debian's.

    >>> debian_codename('PRETTY_NAME="Debian 12"\nID=debian\nVERSION_CODENAME=bookworm\n')
    'bookworm'
    >>> debian_codename('PRETTY_NAME="Fedora Linux 44"\nID=fedora\n')
    Traceback (most recent call last):
        ...
    standard-library.Failure: this machine runs Fedora Linux 44, not Debian, so its archive has no Debian suites
    """
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    if values.get("ID") != "debian":
        system = values.get("PRETTY_NAME", "an unnamed system")
        raise Failure(f"this machine runs {system}, not Debian, so its archive has no Debian suites")
    if "VERSION_CODENAME" not in values:
        raise Failure("/etc/os-release has no VERSION_CODENAME")
    return values["VERSION_CODENAME"]


def madison_versions(listed):
    """Returns the versions that `apt-cache madison` lists, each once, newest first.

    >>> madison_versions('''
    ... rust-src | 1.97.1+dfsg1-1 | mirror forky/main
    ... rust-src | 1.97.1+dfsg1-1 | mirror sid/main
    ... rust-src | 1.95.0+dfsg1-2~bpo13+1 | mirror trixie-backports/main''')
    ['1.97.1+dfsg1-1', '1.95.0+dfsg1-2~bpo13+1']
    >>> madison_versions('')
    []
    """
    lines = (line.split("|") for line in listed.splitlines())
    return list(dict.fromkeys(line[1].strip() for line in lines if len(line) > 1))


def is_of_release(version, release):
    """Tells whether a Debian version packages an upstream release.

    >>> [is_of_release(version, "1.95.0") for version in ("1.95.0+dfsg1-2~bpo13+1", "1:1.95.0-1")]
    [True, True]
    >>> [is_of_release(version, "1.95.0") for version in ("1.95.01-1", "1.96.1+dfsg1-2")]
    [False, False]
    """
    return re.fullmatch(rf"(\d+:)?{re.escape(release)}[+~-].*", version) is not None


def apt_options(site, work):
    """Returns the options of an apt whose configuration and lists lie in the work folder."""
    lists, cache, sources = work / "apt-lists", work / "apt-cache", work / "sources.list"
    for folder in (lists, cache):
        (folder / "partial").mkdir(parents=True)
    ring = next((f"[signed-by={path}] " for path in KEY_RINGS if Path(path).is_file()), "")
    sources.write_text("".join(f"deb {ring}{site} {suite} main\n" for suite in SUITES))
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": lists,
        "Dir::Cache": cache,
        # apt's download user cannot see into the work folder, which is the caller's own.
        "APT::Sandbox::User": "root",
        # Package lists only: no translations, no application catalogues.
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Retries": "3",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


def sources(release, work):
    named = os.environ.get(SOURCE_VARIABLE)
    if named:
        return from_folder(Path(named), release, work)
    try:
        return from_debian(release, work)
    except Failure as failure:
        if not SOURCE_BESIDE_THE_REPOSITORY.is_dir():
            raise
        print(f"The Debian archive could not help: {failure}", file=sys.stderr)
        return from_folder(SOURCE_BESIDE_THE_REPOSITORY, release, work)


def build(library, work):
    """Builds the library; returns the folder with its .rlib files.

    As Rust's own build does: unstable features in a stable compiler, crate hashes that mark these crates as the
    standard library, and its sources' paths as in the official one, so that no component holds the path of the
    work folder.
    """
    manifest = library / "sysroot/Cargo.toml"
    if not manifest.is_file():
        raise Failure("the source of the standard library has no sysroot/Cargo.toml")
    commit = re.search(r"^commit-hash: (\w+)$", run(["rustc", "-vV"]), re.MULTILINE)
    if not commit:
        raise Failure("`rustc -vV` names no commit")
    flags = [
        "-Cembed-bitcode=yes",
        "-Zforce-unstable-if-unmarked",
        f"--remap-path-prefix={library}=/rustc/{commit[1]}/library",
    ]
    environment = {
        **os.environ,
        "RUSTC_BOOTSTRAP": "1",
        "__CARGO_DEFAULT_LIB_METADATA": "stablestd",
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
    }
    target = work / "build"
    arguments = ["--features", "panic-unwind", "--target", TARGET, "--manifest-path", manifest, "--target-dir", target]
    # Away from the repository's .cargo/config.toml.
    cargo = [os.environ.get("CARGO", "cargo"), "build", "--release", *arguments]
    if subprocess.run(cargo, cwd=work, env=environment).returncode != 0:
        raise Failure("the standard library did not build")
    return target / TARGET / "release/deps"


def put_in_place(rlibs, libc, destination):
    """Fills a new folder and swaps it in, so that a compiler meanwhile sees the old library or the new one.

    Nothing of the old one stays: two copies of `core` give hundreds of odd errors.
    """
    libc = libc / "usr/lib" / TARGET
    if not libc.is_dir():
        raise Failure(f"wasi-libc's package has no usr/lib/{TARGET}: a version of 2026 or newer is needed")
    libraries = list(rlibs.glob("*.rlib"))
    if not libraries:
        raise Failure("the build of the standard library left no .rlib file")
    try:
        with tempfile.TemporaryDirectory(dir=destination.parent) as staged:
            new, old = Path(staged, "new"), Path(staged, "old")
            self_contained = new / "lib/self-contained"
            self_contained.mkdir(parents=True)
            for library in libraries:
                shutil.copy(library, new / "lib")
            for file in filter(Path.is_file, libc.iterdir()):
                shutil.copy(file, self_contained)
            if destination.exists():
                destination.rename(old)
            new.rename(destination)
    except OSError as error:
        raise Failure(
            f"cannot write to {destination.parent} ({error}): run `cargo xtask setup` as a user who can, or install a "
            "toolchain of your own with rustup"
        )


def main(release, destination):
    (REPOSITORY / "target").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=REPOSITORY / "target") as work:
        library, libc = sources(release, Path(work))
        put_in_place(build(library, Path(work)), libc, Path(destination))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Failure as failure:
        sys.exit(f"error: {failure}")
