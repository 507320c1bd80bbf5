//! A writer cannot read what it has written, and who holds an identity can.

use std::path::Path;

use ampoule_audit::{
    Disk, Error, Identity, LogDirectory, Marks, Recipients, Rows, Writer, WriterSettings,
};

use crate::logs::{AUDITOR, at, expected_ids, fault, ids, recipients, sealed};

/// Writes a log on disk and returns it.
fn on_disk(parent: &Path, batches: u64) -> LogDirectory {
    let (log, state) = (parent.join("log"), parent.join("state"));
    let disk = Disk::open(&log, &state).unwrap();
    let mut writer = Writer::open(disk, crate::logs::settings(), at(0)).unwrap();
    crate::logs::write(&mut writer, batches);
    writer.close(at(90)).unwrap();
    LogDirectory::new(log)
}

fn root_of(log: &LogDirectory) -> Marks {
    let pem = std::fs::read_to_string(log.path().join("audit.pub")).unwrap();
    Marks {
        root: Some(ampoule_audit::AuditKey::from_pem(&pem).unwrap()),
        anchors: Vec::new(),
        ..Marks::default()
    }
}

#[test]
fn nothing_of_a_row_is_on_disk_in_a_form_that_the_writer_can_read() {
    let parent = tempfile::tempdir().unwrap();
    let log = on_disk(parent.path(), 4);
    let mut all = Vec::new();
    for directory in ["log", "state"] {
        for entry in std::fs::read_dir(parent.path().join(directory)).unwrap() {
            all.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
    let holds = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
    // The files are read right: public texts are in them.
    assert!(holds(&AUDITOR.recipient()) && holds("PUBLIC KEY"));
    for secret in ["id-1", "\"event\"", "AGE-SECRET-KEY"] {
        assert!(!holds(secret), "{secret}");
    }
    // Neither does another identity open it, such as one that the writer's process makes for itself.
    let marks = root_of(&log);
    let stranger = Identity::generate();
    let mut rows = Rows::new(&log, &marks, &stranger).unwrap();
    assert!(matches!(rows.next(), Some(Err(Error::Identity(_)))));
    assert!(rows.next().is_none());
    assert_eq!(ids(&log, &marks), expected_ids(8));
}

#[test]
fn each_of_several_recipients_reads_all() {
    let second = Identity::generate();
    let both = [AUDITOR.recipient(), second.recipient()];
    let recipients = Recipients::parse(both.iter().map(String::as_str)).unwrap();
    let memory = crate::memory::Memory::default();
    let mut writer = Writer::open(memory, WriterSettings::new(recipients.clone()), at(0)).unwrap();
    let lines = b"{\"row\":0,\"time\":\"2026-11-30T00:00:00Z\",\"event\":\"start\"}\n";
    let batch = recipients.seal(1, lines).unwrap();
    writer.append(&batch, at(1)).unwrap();
    let memory = writer.into_storage();
    let marks = crate::logs::marks(&memory, &[]);
    for identity in [&*AUDITOR, &second] {
        let rows: Vec<_> = Rows::new(&memory, &marks, identity).unwrap().collect();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].is_ok());
    }
}

#[test]
fn a_batch_with_other_rows_than_its_frame_announces_is_a_fault() {
    let line = |number: u64| {
        format!("{{\"row\":{number},\"time\":\"2026-11-30T00:00:00Z\",\"event\":\"start\"}}\n")
    };
    for (announced, lines) in [
        (2, line(0)),
        (1, line(0) + &line(1)),
        (1, line(1)),
        (2, line(1) + &line(0)),
        (1, "no row\n".to_owned()),
    ] {
        let mut writer = crate::logs::open(crate::memory::Memory::default());
        let batch = recipients().seal(announced, lines.as_bytes()).unwrap();
        writer.append(&batch, at(1)).unwrap();
        let memory = writer.into_storage();
        let marks = crate::logs::marks(&memory, &[]);
        let mut rows = Rows::new(&memory, &marks, &AUDITOR).unwrap();
        assert_eq!(
            fault(rows.next().unwrap()),
            ampoule_audit::FaultKind::Rows,
            "{lines}"
        );
    }
}

#[test]
fn rows_before_a_fault_are_read_and_none_behind_it() {
    let mut writer = crate::logs::open(crate::memory::Memory::default());
    crate::logs::write(&mut writer, 2);
    let mut memory = writer.into_storage();
    let marks = crate::logs::marks(&memory, &[]);
    let bytes = memory.segments.get_mut(&1).unwrap();
    let late = bytes.len() - 150;
    bytes[late] ^= 1;
    let rows: Vec<_> = Rows::new(&memory, &marks, &AUDITOR).unwrap().collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].is_ok() && rows[1].is_ok() && rows[2].is_err());
}

#[test]
fn an_identity_is_kept_in_a_file_with_a_password_or_without() {
    let identity = Identity::generate();
    let plain = identity.to_file();
    let read = Identity::from_file(&plain, None).unwrap();
    assert_eq!(read.recipient(), identity.recipient());
    assert!(!Identity::is_encrypted_file(&plain));

    let file = identity.to_encrypted_file("correct horse").unwrap();
    assert!(Identity::is_encrypted_file(&file));
    let read = Identity::from_file(&file, Some("correct horse")).unwrap();
    assert_eq!(read.recipient(), identity.recipient());
    for password in [None, Some("battery staple")] {
        let refused = Identity::from_file(&file, password).unwrap_err();
        assert_eq!(refused.code(), "audit.identity");
    }
    assert!(identity.to_encrypted_file("").is_err());
    for other in ["", "# nothing\n", "AGE-SECRET-KEY-1", "age1abc"] {
        assert!(
            Identity::from_file(other.as_bytes(), None).is_err(),
            "{other}"
        );
    }
}

#[test]
fn recipients_are_public_keys_each_once() {
    let one = AUDITOR.recipient();
    let read: Recipients = format!("# auditors\n\n{one}\n").parse().unwrap();
    assert_eq!(read, recipients());
    let secret = String::from_utf8(AUDITOR.to_file().to_vec()).unwrap();
    let secret = secret.lines().last().unwrap();
    for refused in [&[][..], &[&*one, &*one], &["age1"], &[secret]] {
        let error = Recipients::parse(refused.iter().copied()).unwrap_err();
        assert_eq!(error.code(), "audit.recipient");
        assert!(!error.to_string().contains(&secret[16..]), "{error}");
    }
}

#[test]
fn two_processes_do_not_write_one_log() {
    let parent = tempfile::tempdir().unwrap();
    let (log, state) = (parent.path().join("log"), parent.path().join("state"));
    let first = Disk::open(&log, &state).unwrap();
    assert!(matches!(Disk::open(&log, &state), Err(Error::InUse)));
    drop(first);
    Disk::open(&log, &state).unwrap();
}

#[test]
fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    on_disk(parent.path(), 4);
    for directory in ["log", "state"] {
        let path = parent.path().join(directory);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700, "{directory}");
        for entry in std::fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{path:?}");
        }
    }
    let batch = sealed(0, 1);
    assert_eq!(
        format!("{batch:?}"),
        format!("Sealed(1 rows, {} bytes)", batch.bytes().len())
    );
}
