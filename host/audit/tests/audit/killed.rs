//! A writer that is killed at any moment leaves a log that verifies, with every row that it said was written.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use ampoule_audit::{AuditKey, Disk, LogDirectory, Marks, Writer, anchor_of_head, verify};

use crate::logs::{at, sealed, settings};
use crate::random::Random;

/// Variable that names the directory in which a child writes until it is killed.
const CHILD: &str = "AMPOULE_AUDIT_CHILD";

fn writer(parent: &Path) -> Writer<Disk> {
    let disk = Disk::open(&parent.join("log"), &parent.join("state")).unwrap();
    Writer::open(disk, settings(), at(0)).unwrap()
}

/// The number of kills; more of them by the variable.
fn count() -> usize {
    let more = std::env::var("AMPOULE_AUDIT_KILLS").ok();
    more.map_or(25, |count| count.parse().unwrap())
}

/// In a child: writes and tells of each batch, until the end. Else: the short form of that, which ends by itself.
#[test]
fn a_writer_tells_the_next_row_after_each_batch() {
    let child = std::env::var_os(CHILD);
    let parent = tempfile::tempdir().unwrap();
    let path = child.as_deref().map_or(parent.path(), Path::new);
    let mut writer = writer(path);
    let mut out = std::io::stdout();
    let most = if child.is_some() { u64::MAX } else { 5 };
    for _ in 0..most {
        let batch = sealed(writer.next_row(), 2);
        writer.append(&batch, at(1)).unwrap();
        if child.is_some() {
            writeln!(out, "\nwritten {}", writer.next_row()).unwrap();
        }
    }
    assert_eq!(writer.next_row(), 10);
}

#[test]
fn a_writer_that_is_killed_at_a_random_moment_leaves_a_log_that_verifies() {
    let parent = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let (mut torn, mut rows) = (0, 0);
    for _ in 0..count() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::a_writer_tells_the_next_row_after_each_batch",
            ])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, parent.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // It has opened the log, and goes on with it.
        let first = lines.by_ref().find_map(|line| written(&line.unwrap()));
        assert!(first.is_some(), "the child wrote nothing");
        let wait = Duration::from_micros(1000 + random.next() % 30_000);
        let killer = thread::spawn(move || {
            thread::sleep(wait);
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let told = lines
            .map_while(Result::ok)
            .filter_map(|line| written(&line));
        let told = told.last().or(first).unwrap();
        killer.join().unwrap();

        let log = LogDirectory::new(parent.path().join("log"));
        let pem = std::fs::read_to_string(log.path().join("audit.pub")).unwrap();
        let head = std::fs::read(parent.path().join("state/head")).unwrap();
        let marks = Marks {
            root: Some(AuditKey::from_pem(&pem).unwrap()),
            anchors: vec![anchor_of_head(&head).unwrap()],
            ..Marks::default()
        };
        let report = verify(&log, &marks).unwrap();
        assert!(report.rows >= told, "{} < {told}", report.rows);
        assert!(report.rows >= rows, "{} < {rows}", report.rows);
        torn += u64::from(report.unfinished_bytes > 0);
        rows = report.rows;
    }
    println!("{} kills, {rows} rows, {torn} unfinished frames", count());
    let mut writer = writer(parent.path());
    assert_eq!(writer.next_row(), rows);
    writer.close(at(2)).unwrap();
}

fn written(line: &str) -> Option<u64> {
    line.strip_prefix("written ")?.parse().ok()
}
