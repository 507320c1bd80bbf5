//! A process that is killed while it remembers a release, at every step that another one could see.
//!
//! `strace` kills it as it enters a system call. Where the tool is missing the test fails: a skipped test
//! proves nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use ampoule_signing::{Manifest, ReleaseState, Timestamp};

use crate::fixture::{Fixture, template};

/// Whatever opens, writes, syncs, names or locks a file.
const SYSTEM_CALLS: [&str; 15] = [
    "close",
    "fchmod",
    "fsync",
    "flock",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "openat",
    "openat2",
    "rename",
    "renameat",
    "renameat2",
    "unlinkat",
    "write",
];

/// More often than this the program enters no system call.
const MOST_TIMES: u32 = 60;

/// The program, which `cargo test` has built.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.parent().and_then(Path::parent).unwrap();
    let program = folder.join("examples/record_release");
    assert!(
        program.is_file(),
        "`cargo test -p ampoule-signing` builds it, `--test` alone does not"
    );
    program
}

fn manifest_file(dir: &Path, release: u64) -> PathBuf {
    let fixture = Fixture::unsigned();
    let mut template = template();
    template.release = release;
    let manifest: Manifest = template
        .fill(&fixture.path(), Timestamp::UNIX_EPOCH)
        .unwrap();
    let file = dir.join(format!("{release}.json"));
    fs::write(&file, manifest.to_json().unwrap()).unwrap();
    file
}

/// Runs the program, to be killed when it enters `call` for the `time`-th time.
fn run_and_kill(state: &Path, manifest: &Path, call: &str, time: u32) -> ExitStatus {
    Command::new("strace")
        // It would have the loader look for libraries in many places first.
        .env_remove("LD_LIBRARY_PATH")
        .args(["--follow-forks", "--output=/dev/null", "--quiet=all"])
        .arg(format!("--trace=?{call}"))
        .arg(format!("--inject=?{call}:signal=SIGKILL:when={time}"))
        .arg(program())
        .args([state, manifest])
        .status()
        .expect("this test needs `strace`; install the package strace")
}

fn newest(state: &Path) -> Option<u64> {
    let seen = ReleaseState::in_directory(state).seen().unwrap();
    seen.get("acme/minilm").map(|seen| seen.release)
}

#[test]
fn a_process_killed_at_any_step_leaves_the_old_state_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (manifest_file(dir.path(), 1), manifest_file(dir.path(), 2));
    let (mut killed, mut old, mut new) = (0, 0, 0);
    for call in SYSTEM_CALLS {
        for time in 1..=MOST_TIMES {
            let state = dir.path().join(format!("{call}-{time}"));
            let run = |manifest| Command::new(program()).arg(&state).arg(manifest).status();
            assert!(run(&first).unwrap().success());
            let status = run_and_kill(&state, &second, call, time);
            match newest(&state) {
                Some(1) => old += 1,
                Some(2) => new += 1,
                other => panic!("{call} {time}: {other:?}"),
            }
            // Whatever the dead process left, the next one is not kept from its work.
            assert!(run(&second).unwrap().success(), "{call} {time}");
            assert_eq!(newest(&state), Some(2), "{call} {time}");
            if status.success() {
                break;
            }
            assert!(time < MOST_TIMES, "{call}: {status}");
            assert_eq!(status.signal(), Some(9), "{call} {time}: {status}");
            killed += 1;
        }
    }
    // It was killed both before and after the file was put into place.
    assert!(killed > 20 && old > 10 && new > 2, "{killed} {old} {new}");
}

#[test]
fn a_first_process_killed_at_any_step_leaves_no_state_or_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = manifest_file(dir.path(), 1);
    for call in [
        "fsync", "mkdir", "openat", "openat2", "rename", "renameat", "write",
    ] {
        for time in 1..=MOST_TIMES {
            let state = dir.path().join(format!("{call}-{time}"));
            let status = run_and_kill(&state, &first, call, time);
            if state.exists() {
                assert!(matches!(newest(&state), None | Some(1)), "{call} {time}");
            }
            if status.success() {
                break;
            }
            assert!(time < MOST_TIMES, "{call}: {status}");
        }
    }
}
