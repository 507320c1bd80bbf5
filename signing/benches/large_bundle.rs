//! Time to verify a large bundle, beside OpenSSL's SHA-256 of the same file.
//!
//! ```sh
//! cargo bench -p ampoule-signing --bench large_bundle            # 1 GiB; or: -- 256 for 256 MiB
//! ```
//!
//! The two take turns, with the file in the page cache, and the medians are compared. Verification is that of
//! `ampoule-sign verify`: like OpenSSL, it reads the file piece by piece and keeps nothing. Loading is that of a host
//! that needs the file: it keeps the verified bytes, so the system's time to find a GiB of memory is part of it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints"
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ampoule_signing::{
    Bundle, ByteSize, ManifestTemplate, SecretKey, Timestamp, TrustStore, VerifiedBundle, Version,
    sign_directory,
};

fn main() {
    // Cargo passes `--bench`.
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    compare(asked.unwrap_or(1024), 11);
}

/// Times both over a file of `mib` MiB, `rounds` times each, and prints what came of it.
pub(crate) fn compare(mib: u32, rounds: usize) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bundle = dir.path().join("large");
    let trust = write_bundle(&bundle, mib);
    let weights = bundle.join("weights.bin");

    let [mut verification, mut loading, mut theirs] = [(); 3].map(|()| Vec::new());
    for round in 0..=rounds {
        let times = [
            timed(|| verify(&bundle, &trust)),
            timed(|| load(&bundle, &trust, mib)),
            timed(|| openssl(&weights)),
        ];
        // The first brings everything into the cache.
        if round > 0 {
            verification.push(times[0]);
            loading.push(times[1]);
            theirs.push(times[2]);
        }
    }
    let theirs = median(theirs);
    println!("{mib} MiB in chunks, {rounds} rounds, medians");
    for (what, time) in [
        ("verification", median(verification)),
        ("loading", median(loading)),
        ("openssl dgst -sha256", theirs),
    ] {
        println!(
            "{what:<21} {time:8.1?} {:6.2} GiB/s   {:.2} of OpenSSL's time",
            f64::from(mib) / 1024.0 / time.as_secs_f64(),
            time.as_secs_f64() / theirs.as_secs_f64()
        );
    }
}

/// Writes and signs a bundle of one large file, and says whom to trust for it.
fn write_bundle(dir: &Path, mib: u32) -> TrustStore {
    fs::create_dir(dir).unwrap();
    fs::write(dir.join("component.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    let mut weights = File::create(dir.join("weights.bin")).unwrap();
    let mut piece: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();
    for number in 0..mib {
        piece[..4].copy_from_slice(&number.to_le_bytes());
        weights.write_all(&piece).unwrap();
    }
    let key = SecretKey::generate().unwrap();
    ManifestTemplate::new(
        "acme",
        "large",
        Version::new(1, 0, 0),
        1,
        &["text-embedding"],
    )
    .fill(dir, Timestamp::now())
    .unwrap()
    .write_file(dir)
    .unwrap();
    sign_directory(dir, &[&key]).unwrap();
    let mut trust = TrustStore::new();
    trust.insert(key.public_key().clone(), ["acme"]).unwrap();
    trust
}

fn verify(bundle: &Path, trust: &TrustStore) {
    let verified = Bundle::open(bundle)
        .unwrap()
        .verify_component(trust, Timestamp::now())
        .unwrap();
    verified.check_files().unwrap();
}

fn load(bundle: &Path, trust: &TrustStore, mib: u32) -> VerifiedBundle {
    let verified = Bundle::open(bundle)
        .unwrap()
        .verify(trust, Timestamp::now())
        .unwrap();
    let weights = verified.file("weights.bin").unwrap();
    assert_eq!(
        ByteSize::from_bytes(weights.len() as u64),
        ByteSize::from_mib(mib)
    );
    verified
}

fn openssl(file: &Path) {
    let mut command = Command::new("openssl");
    command
        .args(["dgst", "-sha256"])
        .arg(file)
        .stdout(Stdio::null());
    assert!(command.status().unwrap().success());
}

/// Returns the time until the result is there. Dropping the result is not part of it.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    let result = work();
    let time = started.elapsed();
    drop(result);
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
