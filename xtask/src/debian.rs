//! Programs of Debian's packages that the tests run: Prometheus' checker of metrics, and the proxies of the guides.
//!
//! They are taken out of their packages, whose installation would start servers. One that is in `PATH` is used instead.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// A program in a package.
struct Program {
    name: &'static str,
    package: &'static str,
    /// Place in the package.
    path: &'static str,
    /// Argument that makes it print its version and end.
    version: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "promtool",
        package: "prometheus",
        path: "usr/bin/promtool",
        version: "--version",
    },
    Program {
        name: "nginx",
        package: "nginx",
        path: "usr/sbin/nginx",
        version: "-v",
    },
    Program {
        name: "caddy",
        package: "caddy",
        path: "usr/bin/caddy",
        version: "version",
    },
];

/// Puts the programs that are not in `PATH` into a folder; a no-op for those that are there.
pub(crate) fn install(folder: &Path) -> Result<()> {
    for program in PROGRAMS {
        program.install(&folder.join(program.name))?;
    }
    Ok(())
}

impl Program {
    fn install(&self, path: &Path) -> Result<()> {
        if self.works(Path::new(self.name)) || self.works(path) {
            return Ok(());
        }
        if !process::is_there("apt-get") || !process::is_there("dpkg-deb") {
            bail!("`{}` is not in PATH: install {}", self.name, self.package);
        }
        eprintln!(
            "Taking {} out of Debian's package `{}`.",
            self.name, self.package
        );
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent)?;
        let work = tempfile::tempdir_in(parent)?;
        if self.download(work.path()).is_err() {
            // A fresh image has no package lists.
            process::run(Command::new("apt-get").arg("update"))?;
            self.download(work.path()).with_context(|| {
                format!(
                    "apt-get could not download Debian's package `{}`; install it, so that `{}` is in PATH",
                    self.package, self.name
                )
            })?;
        }
        let package = the_one_file(work.path())?;
        let tree = work.path().join("tree");
        process::output(
            Command::new("dpkg-deb")
                .arg("--extract")
                .args([&package, &tree]),
        )?;
        let program = tree.join(self.path);
        if !self.works(&program) {
            bail!(
                "{} of Debian's package `{}` does not work: install the package, with what it depends on",
                self.name,
                self.package
            );
        }
        std::fs::rename(program, path)?;
        Ok(())
    }

    fn works(&self, program: &Path) -> bool {
        process::output(Command::new(program).arg(self.version)).is_ok()
    }

    fn download(&self, folder: &Path) -> Result<()> {
        let mut command = Command::new("apt-get");
        let command = command.current_dir(folder);
        process::output(command.args(["--quiet", "download", self.package]))?;
        Ok(())
    }
}

fn the_one_file(folder: &Path) -> Result<PathBuf> {
    let first = std::fs::read_dir(folder)?.next();
    Ok(first.context("apt-get downloaded nothing")??.path())
}
