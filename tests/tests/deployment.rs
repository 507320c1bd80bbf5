//! The settings that DEPLOYMENT_SECURITY.md recommends, and those that clash: the command under each of
//! them answers, or says what it lacks.
//!
//! A service manager is not needed: limits, system call filters, users and mounts are set by the same means
//! of the kernel's that it uses. Where such a means is missing the tests fail, and do not pass.

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
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ampoule_tests::{
    CacheDirectory, Operator, WrittenBundle, ampoule, assert_fails, json_of, set_mode, test_guest,
    workspace_file,
};
use serde_json::Value;

const UNIT: &str = "samples/deployment/ampoule@.service";
const CONFIGURATION: &str = "samples/deployment/ampoule.toml";
const PICTURE: &str = "samples/shapes.png";

/// The words `before`, and then the command: how `prlimit`, `unshare` and their likes start a program.
fn under(before: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(before[0]);
    outer.args(&before[1..]).arg(command.get_program());
    outer.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// Under a filter on system calls; see `tests/src/bin/confined.rs`.
fn filtered(filter: &str, command: &Command) -> Command {
    under(&[env!("CARGO_BIN_EXE_confined"), filter], command)
}

/// The built-in model, asked for labels. Its code may be kept from another test.
fn classify() -> Command {
    let mut command = ampoule();
    command.args(["classify", "--json", "--timeout", "60s", "--image"]);
    command.arg(workspace_file(PICTURE));
    command
}

#[track_caller]
fn assert_classifies(output: &Output) {
    let document = json_of(output);
    assert!(output.status.success(), "{document}");
    let labels = document["labels"].as_array().unwrap();
    assert!(
        labels.iter().any(|label| label["name"] == "star"),
        "{document}"
    );
}

/// An operator with a small model, which is compiled in a moment.
struct Small {
    operator: Operator,
    bundle: WrittenBundle,
}

impl Small {
    fn new() -> Self {
        let operator = Operator::new();
        let bundle = operator.publisher().bundle(test_guest("prepares"));
        Self {
            bundle: bundle.file("data.bin", vec![1, 20, 100]).write(),
            operator,
        }
    }

    /// Compiles the model and asks it.
    fn embed(&self) -> Command {
        let mut command = self.operator.ampoule(&["embed", "--json", "--no-cache"]);
        command.args(["x", "--model"]).arg(self.bundle.path());
        command
    }
}

#[track_caller]
fn assert_embeds(output: &Output) {
    let document = json_of(output);
    assert!(output.status.success(), "{document}");
    assert_eq!(document["embeddings"][0][2], 121.0);
}

fn message(output: &Output) -> String {
    json_of(output)["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The settings of the sample unit, in their order.
fn unit() -> Vec<(String, String)> {
    let text = fs::read_to_string(workspace_file(UNIT)).unwrap();
    let (_, service) = text.split_once("[Service]\n").unwrap();
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

/// Each file of the samples is named by the guide, and by its own path.
#[test]
fn the_guide_names_every_sample() {
    let guide = fs::read_to_string(workspace_file("DEPLOYMENT_SECURITY.md")).unwrap();
    for file in fs::read_dir(workspace_file("samples/deployment")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            guide.contains(&format!("(samples/deployment/{name})")),
            "{name}"
        );
    }
    for (name, _) in unit() {
        assert!(guide.contains(&format!("`{name}=")), "{name}");
    }
}

/// The sample configuration with directories of the test's, for a service that nobody has installed.
fn installed(directory: &Path) -> std::path::PathBuf {
    let text = fs::read_to_string(workspace_file(CONFIGURATION)).unwrap();
    for name in ["trust", "state", "cache"] {
        fs::create_dir(directory.join(name)).unwrap();
        set_mode(&directory.join(name), 0o700);
    }
    let here = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let text = text
        .replace("/etc/ampoule/trust", &here("trust"))
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

/// The unit's command under all of the unit's settings that one process can be given. Those for which a
/// mount or a namespace is made have tests of their own below.
fn service(configuration: &Path) -> Command {
    let mut program = Vec::new();
    let mut limits = vec!["prlimit".to_owned()];
    let mut calls = false;
    let mut privileges = vec!["setpriv".to_owned()];
    for (name, value) in unit() {
        match (&*name, &*value) {
            ("ExecStart", words) => program = words.split(' ').map(str::to_owned).collect(),
            ("LimitNOFILE", number) => limits.push(format!("--nofile={number}")),
            ("LimitCORE", number) => limits.push(format!("--core={number}")),
            ("LimitMEMLOCK", number) => limits.push(format!("--memlock={number}")),
            ("NoNewPrivileges", "yes") => privileges.push("--no-new-privs".to_owned()),
            ("CapabilityBoundingSet", "") => {
                // Only who has capabilities can give them up.
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
            // A connection is what the test below gives it.
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
                | "RuntimeMaxSec",
                _,
            ) => {}
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
    let command = filtered("system-service", &command);
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
    let mut service = service(configuration)
        .stdin(server.try_clone().unwrap())
        .stdout(server)
        .spawn()
        .unwrap();
    client
        .write_all(&fs::read(workspace_file(PICTURE)).unwrap())
        .unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(service.wait().unwrap().success(), "{answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn the_sample_unit_answers_under_its_own_settings() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = installed(directory.path());
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
fn where_no_memory_may_become_executable_the_command_says_so() {
    for command in [Small::new().embed(), classify()] {
        let output = filtered("no-executable-memory", &command).output().unwrap();
        assert_fails(&output, "io.system", 8);
        let said = message(&output);
        assert!(said.contains("MemoryDenyWriteExecute="), "{said}");
    }
}

#[test]
fn where_addresses_or_data_are_limited_the_command_says_so() {
    for limit in ["--as=8589934592", "--data=536870912"] {
        let output = under(&["prlimit", limit], &classify()).output().unwrap();
        assert_fails(&output, "io.system", 8);
        let said = message(&output);
        assert!(said.contains("MemoryMax="), "{said}");
    }
}

#[test]
fn a_limit_on_the_size_of_files_counts_for_files_in_memory_too() {
    const SIGXFSZ: i32 = 25;
    let small = Small::new();
    let sized = |limit| under(&["prlimit", limit], &small.embed()).output().unwrap();
    assert_eq!(sized("--fsize=65536").status.signal(), Some(SIGXFSZ));
    assert_embeds(&sized("--fsize=1073741824"));
}

#[test]
fn where_there_may_be_no_files_in_memory_the_command_says_so() {
    let small = Small::new();
    let output = filtered("no-files-in-memory", &small.embed())
        .output()
        .unwrap();
    assert_fails(&output, "io.system", 8);
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

/// A shell that runs `script` with mounts of its own, and then the command. It is root there, and the
/// user who started it outside.
fn with_mounts(script: &str, command: &Command) -> Command {
    let script = format!("{script} && exec \"$0\" \"$@\"");
    let unshare = [
        "unshare",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "sh",
        "-c",
    ];
    under(&[&unshare[..], &[&script]].concat(), command)
}

#[test]
fn without_proc_the_command_says_so() {
    let output = with_mounts("mount -t tmpfs none /proc", &Small::new().embed())
        .output()
        .unwrap();
    assert_fails(&output, "io.system", 8);
    assert!(message(&output).contains("/proc"), "{}", message(&output));
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
    assert!(output.stderr.is_empty(), "{output:?}");

    // A cache that is named and cannot be made is told of, and no more.
    let cache = CacheDirectory::new();
    let mut command = small.operator.ampoule(&["embed", "--json", "x", "--model"]);
    command
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
        .stdin(File::open(workspace_file(PICTURE)).unwrap())
        .output()
        .unwrap();
    assert_classifies(&output);
}

/// Somebody of whom nothing else runs, so that what they run can be counted.
fn alone(threads: usize, command: &Command) -> Command {
    let limit = format!("--nproc={threads}");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let user = [
            "setpriv",
            "--reuid=61234",
            "--regid=61234",
            "--clear-groups",
        ];
        return under(&[&user[..], &["prlimit", &limit]].concat(), command);
    }
    under(&["unshare", "--user", "prlimit", &limit], command)
}

#[test]
fn with_too_few_threads_the_command_says_so_and_never_crashes() {
    let copy = tempfile::Builder::new()
        .permissions(mode(0o755))
        .tempdir()
        .unwrap();
    let program = copy.path().join("ampoule");
    fs::copy(ampoule().get_program(), &program).unwrap();
    let picture = copy.path().join("picture.png");
    fs::copy(workspace_file(PICTURE), &picture).unwrap();
    set_mode(&picture, 0o644);
    let mut command = Command::new(&program);
    command.args(["classify", "--json", "--no-cache", "--timeout", "60s"]);
    command
        .arg("--image")
        .arg(&picture)
        .env_remove("AMPOULE_CACHE");
    for threads in (1..12).chain([256]) {
        let output = alone(threads, &command)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{threads}: {said}");
        if output.status.success() {
            assert_classifies(&output);
            return;
        }
        let document = json_of(&output);
        let code = document["error"]["code"].as_str().unwrap();
        assert!(
            ["io.thread", "io.system"].contains(&code),
            "{threads}: {document}"
        );
        assert_eq!(output.status.code(), Some(8), "{threads}: {document}");
    }
    panic!("256 threads are enough");
}

fn mode(bits: u32) -> fs::Permissions {
    fs::Permissions::from_mode(bits)
}
