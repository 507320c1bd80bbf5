//! Many rows by several threads, on a disk, with what they take.

use std::thread;
use std::time::{Duration, Instant};

use ampoule_audit::{
    Audit, AuditSettings, Decision, Disk, Event, LogDirectory, LogSource as _, Marks, Row,
    RowModel, Unavailable, Who, Writer, WriterSettings, anchor_of_head, verify,
};
use ampoule_signing::Timestamp;
use ampoule_units::ByteSize;

use crate::logs::recipients;
use crate::random::Random;

const THREADS: usize = 8;

/// The number of rows; more of them by the variable.
fn count() -> usize {
    let more = std::env::var("AMPOULE_AUDIT_ROWS").ok();
    more.map_or(20_000, |count| count.parse().unwrap())
}

/// Makes a row as a server does.
fn row(random: &mut Random) -> Row {
    let mut row = Row::new(Event::Request, Timestamp::now());
    row.id = Some(format!("{:016x}{:016x}", random.next(), random.next()).into());
    row.who = Some(Who {
        kind: Some("key".into()),
        name: Some("3f9c2a7be1d04c58".into()),
        tenant: Some("acme".into()),
        role: Some("infer".into()),
    });
    row.peer = Some(format!("127.0.0.1:{}", 1024 + random.below(60_000)).into());
    row.method = Some("POST".into());
    row.route = Some("/v1/embeddings".into());
    row.family = Some("openai".into());
    row.model = Some(RowModel {
        name: Some("minilm".into()),
        publisher: Some("acme".into()),
        version: Some("1.0.0".into()),
        release: Some(7),
        manifest: Some("f2cdca47df5c8464ad42ec92ec3da5ad8936a1bacbaa0c0f85d489bb521a1f66".into()),
    });
    row.task = Some("text-embedding".into());
    row.decision = Some(Decision::Allow);
    row.status = Some(200);
    row.outcome = Some("finished".into());
    row.body_bytes = Some(random.below(4_000) as u64);
    row.bytes = Some(4_000 + random.below(4_000) as u64);
    row.input_tokens = Some(random.below(256) as u64);
    row.output_tokens = Some(0);
    row.fuel = Some(random.below(1_000_000_000) as u64);
    row.peak_memory_bytes = Some(1_114_568);
    row.duration_us = Some(random.below(10_000) as u64);
    row
}

#[test]
fn many_rows_by_several_threads_are_all_in_a_log_on_disk_that_verifies() {
    let parent = tempfile::tempdir().unwrap();
    let (log, state) = (parent.path().join("log"), parent.path().join("state"));
    let mut settings = WriterSettings::new(recipients());
    settings.segment_bytes = ByteSize::from_mib(1);
    let disk = Disk::open(&log, &state).unwrap();
    let writer = Writer::open(disk, settings, Timestamp::now()).unwrap();
    let audit = Audit::start(writer, AuditSettings::default()).unwrap();
    let begun = Instant::now();
    let each = count() / THREADS;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let audit = &audit;
            scope.spawn(move || {
                let mut random = Random(1 + thread as u64);
                for _ in 0..each {
                    let permit = loop {
                        match audit.reserve() {
                            Ok(permit) => break permit,
                            Err(Unavailable) => thread::sleep(Duration::from_millis(1)),
                        }
                    };
                    permit.send(row(&mut random));
                }
            });
        }
    });
    assert!(audit.close(Duration::from_secs(60)));
    let written = begun.elapsed();
    let directory = LogDirectory::new(&log);
    let head = std::fs::read(state.join("head")).unwrap();
    let root = std::fs::read_to_string(log.join("audit.pub")).unwrap();
    let marks = Marks {
        root: Some(ampoule_audit::AuditKey::from_pem(&root).unwrap()),
        anchors: vec![anchor_of_head(&head).unwrap()],
        ..Marks::default()
    };
    let begun = Instant::now();
    let report = verify(&directory, &marks).unwrap();
    // With those of the start and of the end.
    assert_eq!(report.rows, (each * THREADS) as u64 + 2);
    assert!(report.is_closed && audit.state().lost == 0);
    let sizes = directory.segments().unwrap().into_iter();
    let bytes: u64 = sizes
        .map(|segment| directory.open(segment).unwrap().1)
        .sum();
    assert!(bytes < 400 * report.rows, "rows are compressed: {bytes}");
    println!(
        "{} rows in {written:?}, {bytes} bytes in {} segments and {} frames, verified in {:?}",
        report.rows,
        report.segments,
        report.frames,
        begun.elapsed()
    );
}
