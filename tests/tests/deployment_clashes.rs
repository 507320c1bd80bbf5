//! The settings of services and containers that clash with what Ampoule needs: `docs/operate/process.md`
//! lists them. Under each of them the command reports the missing means.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use ampoule_tests::{
    Small, ampoule, assert_classifies, assert_embeds, assert_fails, classify, filtered, json_of,
    sample_picture, set_mode, under, with_mounts,
};

fn message(output: &Output) -> String {
    json_of(output)["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned()
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
fn without_proc_the_command_says_so() {
    let mut command = classify();
    command.arg("--no-cache");
    let output = with_mounts("mount -t tmpfs none /proc", &command)
        .output()
        .unwrap();
    assert_fails(&output, "io.system", 8);
    assert!(message(&output).contains("/proc"), "{}", message(&output));
}

/// A user with no other process, so that the user's processes can be counted.
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
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let program = copy.path().join("ampoule");
    fs::copy(ampoule().get_program(), &program).unwrap();
    let picture = copy.path().join("picture.png");
    fs::copy(sample_picture(), &picture).unwrap();
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
