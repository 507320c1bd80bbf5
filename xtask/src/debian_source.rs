//! The source of the standard library and wasi-libc from the Debian archive.
//!
//! No host is named here: the mirror is the one that this machine's apt already uses. The suites that
//! carry current Rust are asked through a package list of our own, so the machine's configuration and
//! its lists stay as they are, and no root is needed. apt checks the archive's signatures as always.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;
use crate::standard_library::{Sources, find_file, unpack_deb};

/// Where Debian has current versions of Rust and wasi-libc.
const SUITES: &[&str] = &["trixie-backports", "forky", "sid"];

/// Debian's key ring, where the machine has one outside apt's default place.
const KEY_RINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Downloads and unpacks what Rust `release` needs, into `work`.
pub(crate) fn fetch(release: &str, work: &Path) -> Result<Sources> {
    ensure!(
        process::is_there("apt-get"),
        "`apt-get` is not in PATH, so the Debian archive cannot be asked"
    );
    let mirror = mirror()?;
    let apt = Apt::new(&mirror, work)?;
    let update = process::output(apt.command("apt-get").arg("update"));
    let listed = process::output(apt.command("apt-cache").args(["madison", "rust-src"]))?;
    let versions = madison_versions(&listed);
    let Some(version) = versions
        .iter()
        .find(|version| is_of_release(version, release))
    else {
        let looked_for = format!(
            "rust-src {release} in the suites {} of this machine's Debian mirror",
            SUITES.join(", ")
        );
        match (versions.is_empty(), update) {
            (true, Err(error)) => return Err(error.context(format!("looked for {looked_for}"))),
            (true, Ok(_)) => bail!("looked for {looked_for}, which list no version at all"),
            (false, _) => bail!(
                "looked for {looked_for}, which have only {}",
                versions.join(", ")
            ),
        }
    };
    eprintln!("Downloading rust-src {version} and wasi-libc with apt-get.");
    let packages = work.join("packages");
    std::fs::create_dir(&packages)?;
    process::output(apt.command("apt-get").current_dir(&packages).args([
        "download",
        &format!("rust-src={version}"),
        "wasi-libc",
    ]))?;
    let downloaded = |name: &str| {
        let prefix = format!("{name}_");
        find_file(&packages, |file| {
            file.starts_with(&prefix) && file.ends_with(".deb")
        })?
        .with_context(|| format!("apt-get downloaded no package {name}"))
    };
    let rust = unpack_deb(&downloaded("rust-src")?, &work.join("rust-src"))?;
    let libc = unpack_deb(&downloaded("wasi-libc")?, &work.join("wasi-libc"))?;
    let library = rust.join(format!("usr/src/rustc-{release}/library"));
    ensure!(
        library.is_dir(),
        "Debian's rust-src {version} has no usr/src/rustc-{release}/library"
    );
    Ok(Sources { library, libc })
}

/// The first site that apt uses for the release of Debian that this machine runs.
fn mirror() -> Result<String> {
    let os_release =
        std::fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename = debian_codename(&os_release)?;
    let sites = process::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(SITE)",
        "Created-By: Packages",
        &format!("Codename: {codename}"),
    ]))?;
    let site = sites.lines().map(str::trim).find(|site| !site.is_empty());
    site.map(str::to_owned).with_context(|| {
        format!("apt's configuration has no site for {codename}: run `apt-get update` once, or add a Debian mirror to it")
    })
}

/// `VERSION_CODENAME` of an os-release file, if it is Debian's.
fn debian_codename(os_release: &str) -> Result<&str> {
    let value = |key: &str| {
        os_release.lines().find_map(|line| {
            Some(
                line.strip_prefix(key)?
                    .strip_prefix('=')?
                    .trim()
                    .trim_matches('"'),
            )
        })
    };
    ensure!(
        value("ID") == Some("debian"),
        "this machine runs {}, not Debian, so its package archive has no Debian suites",
        value("PRETTY_NAME").unwrap_or("an unnamed system")
    );
    value("VERSION_CODENAME").context("/etc/os-release has no VERSION_CODENAME")
}

/// The versions in what `apt-cache madison` prints, in its order: newest first.
fn madison_versions(listed: &str) -> Vec<String> {
    let mut versions: Vec<String> = listed
        .lines()
        .filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
        .collect();
    versions.dedup();
    versions
}

/// True when a Debian version packages upstream `release`: `1.95.0+dfsg1-2` is of 1.95.0, `1.95.01-1` is not.
fn is_of_release(version: &str, release: &str) -> bool {
    let upstream = version
        .rsplit_once(':')
        .map_or(version, |(_epoch, rest)| rest);
    upstream
        .strip_prefix(release)
        .is_some_and(|rest| rest.starts_with(['+', '-', '~']))
}

/// apt with a configuration of its own.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(mirror: &str, work: &Path) -> Result<Self> {
        let folder = |name: &str| -> Result<PathBuf> {
            let path = work.join(name);
            std::fs::create_dir_all(path.join("partial"))
                .context("cannot make a folder for apt's lists")?;
            Ok(path)
        };
        let signed_by = KEY_RINGS.iter().find(|path| Path::new(path).is_file());
        let options = signed_by.map_or_else(String::new, |path| format!("[signed-by={path}] "));
        let list = work.join("sources.list");
        let lines: Vec<_> = SUITES
            .iter()
            .map(|suite| format!("deb {options}{mirror} {suite} main\n"))
            .collect();
        std::fs::write(&list, lines.concat()).context("cannot write a package source list")?;
        Ok(Self {
            options: vec![
                format!("-oDir::Etc::SourceList={}", list.display()),
                "-oDir::Etc::SourceParts=/dev/null".to_owned(),
                format!("-oDir::State::Lists={}", folder("apt-lists")?.display()),
                format!("-oDir::Cache={}", folder("apt-cache")?.display()),
                // The work folder is the caller's own; apt's download user cannot see into it.
                "-oAPT::Sandbox::User=root".to_owned(),
                // Only the package lists: no translations, no application catalogues.
                "-oAcquire::Languages=none".to_owned(),
                "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
                "-oAcquire::Retries=3".to_owned(),
            ],
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_madison_lines() {
        let listed = "  rust-src | 1.97.1+dfsg1-1 | mirror forky/main amd64 Packages\n  \
                      rust-src | 1.97.1+dfsg1-1 | mirror sid/main amd64 Packages\n  \
                      rust-src | 1.95.0+dfsg1-2~bpo13+1 | mirror trixie-backports/main amd64 Packages\n";
        assert_eq!(
            madison_versions(listed),
            ["1.97.1+dfsg1-1", "1.95.0+dfsg1-2~bpo13+1"]
        );
        assert!(madison_versions("").is_empty());
    }

    #[test]
    fn a_version_is_of_its_own_release_only() {
        assert!(is_of_release("1.95.0+dfsg1-2~bpo13+1", "1.95.0"));
        assert!(is_of_release("1:1.95.0-1", "1.95.0"));
        assert!(!is_of_release("1.95.01-1", "1.95.0"));
        assert!(!is_of_release("1.96.1+dfsg1-2", "1.95.0"));
    }

    #[test]
    fn only_debian_has_a_codename_for_us() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(debian_codename(debian).unwrap(), "bookworm");
        let other = debian_codename("PRETTY_NAME=\"Fedora Linux 44\"\nID=fedora\n").unwrap_err();
        assert!(other.to_string().contains("Fedora Linux 44"), "{other}");
    }
}
