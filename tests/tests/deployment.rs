//! The settings that `docs/operate/` recommends: the command under them answers.
//!
//! No service manager is needed: limits, filters on system calls and mounts are made by the kernel's means that it
//! uses too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use ampoule_tests::{
    CacheDirectory, Small, ampoule, assert_classifies, assert_embeds, assert_fails, classify,
    filtered, sample_picture, set_mode, under, with_mounts, workspace_file,
};
use serde_json::Value;

#[path = "deployment/kubernetes.rs"]
mod kubernetes;
#[path = "deployment/server.rs"]
mod server;

const UNIT: &str = "ampoule@.service";
const CONFIGURATION: &str = "ampoule.toml";

/// The settings of a sample unit, in their order.
fn unit(name: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(workspace_file(&format!("samples/deployment/{name}"))).unwrap();
    let (_, service) = text.split_once("[Service]\n").unwrap();
    let service = service.split("\n[").next().unwrap();
    let lines = service
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// Finds a sample file, which the guide names too.
#[test]
fn the_guide_names_every_sample() {
    let guide = ["systemd", "containers", "DEPLOYMENT_SECURITY"]
        .map(|page| fs::read_to_string(workspace_file(&format!("docs/operate/{page}.md"))).unwrap())
        .concat();
    for file in fs::read_dir(workspace_file("samples/deployment")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            guide.contains(&format!("(../../samples/deployment/{name})")),
            "{name}"
        );
    }
    for name in [UNIT, server::UNIT] {
        for (setting, _) in unit(name) {
            assert!(guide.contains(&format!("`{setting}=")), "{setting}");
        }
    }
}

/// Makes a sample configuration with directories of the test's.
fn installed(directory: &Path, name: &str) -> PathBuf {
    let file = workspace_file(&format!("samples/deployment/{name}"));
    let text = fs::read_to_string(file).unwrap();
    for name in ["trust", "state", "cache"] {
        fs::create_dir(directory.join(name)).unwrap();
        set_mode(&directory.join(name), 0o700);
    }
    let here = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let text = text
        .replace("/etc/ampoule/trust", &here("trust"))
        .replace("/var/lib/ampoule-serve", &here("state"))
        .replace("/var/cache/ampoule-serve", &here("cache"))
        .replace("/var/lib/ampoule", &here("state"))
        .replace("/var/cache/ampoule", &here("cache"));
    assert!(
        !text.contains("\"/etc") && !text.contains("\"/var"),
        "{text}"
    );
    let configuration = directory.join("ampoule.toml");
    fs::write(&configuration, text).unwrap();
    set_mode(&configuration, 0o600);
    configuration
}

/// Puts a unit's command under all of the unit's settings that one process can have. Settings that need a mount or
/// a namespace have tests of their own below.
fn service(name: &str, filter: &str, configuration: &Path) -> Command {
    let mut program = Vec::new();
    let mut limits = vec!["prlimit".to_owned()];
    let mut calls = false;
    let mut privileges = vec!["setpriv".to_owned()];
    for (name, value) in unit(name) {
        match (&*name, &*value) {
            ("ExecStart", words) => program = words.split(' ').map(str::to_owned).collect(),
            ("LimitNOFILE", number) => limits.push(format!("--nofile={number}")),
            ("LimitCORE", number) => limits.push(format!("--core={number}")),
            ("LimitMEMLOCK", number) => limits.push(format!("--memlock={number}")),
            ("NoNewPrivileges", "yes") => privileges.push("--no-new-privs".to_owned()),
            ("CapabilityBoundingSet", "") => {
                // Only a user with capabilities can give them up.
                let status = fs::read_to_string("/proc/self/status").unwrap();
                if !status.contains("CapEff:\t0000000000000000") {
                    privileges.push("--bounding-set=-all".to_owned());
                    privileges.push("--inh-caps=-all".to_owned());
                }
            }
            // One filter refuses what these refuse.
            (
                "SystemCallFilter"
                | "RestrictAddressFamilies"
                | "RestrictNamespaces"
                | "RestrictRealtime"
                | "RestrictSUIDSGID"
                | "LockPersonality"
                | "ProtectClock"
                | "ProtectHostname"
                | "ProtectKernelLogs"
                | "ProtectKernelModules"
                | "KeyringMode",
                _,
            ) => calls = true,
            ("Environment", _) | ("UMask", "0077") | ("MemoryDenyWriteExecute", "no") => {}
            // The test below connects to it.
            ("StandardInput" | "StandardOutput", "socket") | ("StandardError", "journal") => {}
            // Directories as `installed` makes them.
            (
                "StateDirectory" | "StateDirectoryMode" | "CacheDirectory" | "CacheDirectoryMode",
                _,
            ) => {}
            // Of mounts and namespaces: `on_a_read_only_system_...`, `other_processes_...`.
            (
                "ProtectSystem"
                | "ProtectHome"
                | "PrivateTmp"
                | "PrivateDevices"
                | "ProtectProc"
                | "ProcSubset"
                | "ProtectControlGroups"
                | "ProtectKernelTunables"
                | "PrivateNetwork"
                | "PrivateIPC"
                | "RemoveIPC",
                "yes" | "strict" | "invisible" | "pid",
            ) => {}
            // Of control groups, which only the system's own manager may make.
            (
                "MemoryMax" | "MemorySwapMax" | "OOMPolicy" | "TasksMax" | "CPUQuota"
                | "RuntimeMaxSec" | "IPAddressDeny" | "IPAddressAllow",
                _,
            ) => {}
            // Of the manager, which starts and stops: `service_managers_wait_longer_...`.
            ("Restart" | "RestartPreventExitStatus" | "TimeoutStopSec" | "KillMode", _) => {}
            ("StandardOutput", "journal") => {}
            (
                "User"
                | "Group"
                | "AmbientCapabilities"
                | "SystemCallArchitectures"
                | "SystemCallErrorNumber",
                _,
            ) => {}
            other => panic!("no test knows the setting {other:?}"),
        }
    }
    assert_eq!(program.remove(0), "/usr/local/bin/ampoule");
    assert!(calls, "the unit filters system calls");
    let mut command = ampoule();
    command.args(&program).env("AMPOULE_CONFIG", configuration);
    let command = filtered(filter, &command);
    let words = |words: &[String]| {
        words
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let shell = format!(
        "umask 077; exec {} {} \"$0\" \"$@\"",
        words(&limits),
        words(&privileges)
    );
    let mut command = under(&["sh", "-c", &shell], &command);
    // A service has no home, and no variables but those that the unit names.
    let configuration = command
        .get_envs()
        .find(|(name, _)| *name == "AMPOULE_CONFIG");
    let configuration = configuration
        .and_then(|(_, value)| value)
        .unwrap()
        .to_owned();
    let path = std::env::var_os("PATH").unwrap();
    command
        .env_clear()
        .env("AMPOULE_CONFIG", configuration)
        .env("PATH", path);
    command.current_dir("/");
    command
}

/// Sends the sample picture through a connection to a service, and reads what comes back.
fn connect(configuration: &Path) -> Value {
    let (mut client, server) = UnixStream::pair().unwrap();
    let server = OwnedFd::from(server);
    let mut service = service(UNIT, "system-service", configuration)
        .stdin(server.try_clone().unwrap())
        .stdout(server)
        .spawn()
        .unwrap();
    client
        .write_all(&fs::read(sample_picture()).unwrap())
        .unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(service.wait().unwrap().success(), "{answer}");
    serde_json::from_str(&answer).unwrap()
}

/// The other tests rest on this one: the filter is in force, and refuses calls of ordinary programs.
#[test]
fn the_filter_of_the_sample_unit_refuses() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut chown = Command::new("chown");
    chown.arg(file.as_file().metadata().unwrap().uid().to_string());
    chown.arg(file.path());
    assert!(chown.status().unwrap().success());
    assert!(
        !filtered("system-service", &chown)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn the_sample_unit_answers_under_its_own_settings() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = installed(directory.path(), CONFIGURATION);
    // The first one compiles the model, the second finds it in the cache.
    for _ in 0..2 {
        let document = connect(&configuration);
        let labels = document["labels"].as_array().unwrap();
        assert!(
            labels.iter().any(|label| label["name"] == "star"),
            "{document}"
        );
    }
    let kept = fs::read_dir(directory.path().join("cache")).unwrap();
    let entries = kept.filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.extension().is_some_and(|suffix| suffix == "code")
    });
    assert_eq!(entries.count(), 1);
}

#[test]
fn the_system_call_filters_of_containers_are_no_obstacle() {
    let small = Small::new();
    for filter in ["no-openat2", "no-clone3"] {
        assert_embeds(&filtered(filter, &small.embed()).output().unwrap());
    }
}

#[test]
fn one_processor_and_few_files_are_enough() {
    let small = Small::new();
    assert_embeds(&under(&["taskset", "1"], &small.embed()).output().unwrap());
    let limits = ["prlimit", "--nofile=32", "--memlock=0", "--core=0"];
    assert_embeds(&under(&limits, &small.embed()).output().unwrap());
}

#[test]
fn other_processes_need_not_be_seen() {
    let proc =
        "mount -t proc -o hidepid=invisible,subset=pid none /proc && ! test -e /proc/meminfo";
    assert_classifies(&with_mounts(proc, &classify()).output().unwrap());
}

#[test]
fn on_a_read_only_system_without_a_home_or_a_place_for_temporary_files_only_the_state_is_written() {
    let small = Small::new();
    let closed = "mount -o remount,bind,ro / && ! touch /tmp/x 2>/dev/null";
    let homeless = |mut command: Command| {
        for variable in ["HOME", "XDG_CACHE_HOME", "TMPDIR", "AMPOULE_CACHE"] {
            command.env_remove(variable);
        }
        // Where these tests do not run as root, root is a stranger in a mount namespace of their own.
        command.arg("--insecure-permissions");
        command
    };
    // What is remembered of releases has to be written, or an older one could follow.
    let output = with_mounts(closed, &homeless(small.embed()))
        .output()
        .unwrap();
    assert_fails(&output, "io.failed", 8);

    let state = tempfile::tempdir().unwrap();
    let open = format!(
        "{closed} && mount -t tmpfs -o mode=700 none {}",
        state.path().display()
    );
    let mut command = homeless(small.embed());
    command.arg("--state").arg(state.path());
    let output = with_mounts(&open, &command).output().unwrap();
    assert_embeds(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("ampoule::cache"), "{said}");

    // A cache that is named and cannot be made is told of, and no more.
    let cache = CacheDirectory::new();
    let mut command = homeless(small.operator.ampoule(&["embed", "--json", "x"]));
    command
        .arg("--model")
        .arg(small.bundle.path())
        .arg("--state")
        .arg(state.path());
    command.env("AMPOULE_CACHE", cache.path());
    let output = with_mounts(&open, &command).output().unwrap();
    assert_embeds(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("the cache of compiled models is not used"),
        "{said}"
    );
}

#[test]
fn a_root_directory_of_the_command_its_libraries_and_proc_is_enough() {
    let root = tempfile::tempdir().unwrap();
    let command = ampoule();
    let program = Path::new(command.get_program());
    let libraries = Command::new("ldd").arg(program).output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    for path in libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let copy = root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(path, copy).unwrap();
    }
    fs::copy(program, root.path().join("ampoule")).unwrap();
    fs::create_dir(root.path().join("proc")).unwrap();

    let proc = format!("mount -t proc none {}", root.path().join("proc").display());
    let mut chroot = Command::new("chroot");
    chroot.arg(root.path());
    chroot.args([
        "/ampoule",
        "classify",
        "--json",
        "--no-cache",
        "--timeout",
        "60s",
    ]);
    chroot.args(["--image", "-"]);
    let output = with_mounts(&proc, &chroot)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(File::open(sample_picture()).unwrap())
        .output()
        .unwrap();
    assert_classifies(&output);
}
