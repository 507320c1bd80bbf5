//! Files that are larger than the memory of the machine that signs them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::command_line::{INIT, PASSWORD, answer, workplace};

/// Of each file, half as much again as the commands may have.
const LARGE: u64 = 96 << 20;
/// The most memory that a command may have besides files: the system refuses more.
const DATA_KIB: u64 = 64 << 10;

/// Runs `ampoule-sign` where the system gives no more memory than that.
#[track_caller]
fn run_in_little_memory(dir: &Path, words: &[&str]) {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -d {DATA_KIB} && exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_ampoule-sign"))
        .args(words)
        .current_dir(dir)
        .env("AMPOULE_SIGN_PASSWORD", PASSWORD)
        // A thread's stack counts, and a machine may have many cores.
        .env("RAYON_NUM_THREADS", "4")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{words:?}: {} {error}",
        output.status
    );
    assert_eq!(error, "", "a pipe shows no progress");
}

#[test]
fn a_bundle_larger_than_the_memory_is_signed_packed_and_verified() {
    let dir = workplace();
    let dir = dir.path();
    for name in ["acme.key", "second.key"] {
        answer(dir, &["keygen", name, "--no-encryption"]);
    }
    // Sparse: no disk, and no time to write it. One is pinned in chunks, one is the component itself.
    for name in ["large.bin", "component.wasm"] {
        File::create(dir.join("bundle").join(name))
            .unwrap()
            .set_len(LARGE)
            .unwrap();
    }
    run_in_little_memory(dir, &INIT);
    run_in_little_memory(dir, &["sign", "bundle", "--key", "acme.key"]);
    let cosign = [
        "cosign",
        "bundle",
        "--key",
        "second.key",
        "--expect",
        "acme/minilm",
    ];
    run_in_little_memory(dir, &cosign);
    run_in_little_memory(dir, &["inspect", "bundle"]);
    run_in_little_memory(dir, &["digest", "bundle"]);
    run_in_little_memory(dir, &["verify", "bundle", "--public-key", "acme.pub"]);
    run_in_little_memory(dir, &["pack", "bundle", "minilm.ampoule"]);
    let packed = fs::metadata(dir.join("minilm.ampoule")).unwrap();
    assert!(packed.size() > 2 * LARGE);
    run_in_little_memory(
        dir,
        &["verify", "minilm.ampoule", "--public-key", "acme.pub"],
    );
}
