//! `ampoule audit`: identities are made, logs checked, shown and written out.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use ampoule_audit::{
    Audit, AuditSettings, Decision, Disk, Event, Recipients, Row, RowModel, Who, Writer,
    WriterSettings,
};
use ampoule_signing::Timestamp;
use ampoule_tests::{ampoule, assert_fails, succeeds};
use serde_json::Value;
use tempfile::TempDir;

/// An auditor's identity, and the log of a server that was given its recipient.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `ampoule audit` for people.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = ampoule();
        command.current_dir(self.0.path()).arg("audit");
        command.env("AMPOULE_AUDIT_PASSWORD", "correct horse");
        command.args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Output {
        self.run(&[arguments, &["--json"]].concat())
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes an identity, and a log of three requests beside the rows of its start and its end.
    fn with_log(keygen: &[&str]) -> Self {
        Self::with_log_of(keygen, |_| {})
    }

    fn with_log_of(keygen: &[&str], change: impl FnOnce(&mut WriterSettings)) -> Self {
        let desk = Self::new();
        let made = succeeds(&desk.json(&[&["keygen", "auditor.key"], keygen].concat()));
        let recipients = Recipients::parse([made["recipient"].as_str().unwrap()]).unwrap();
        let disk = Disk::open(&desk.path("log"), &desk.path("state")).unwrap();
        let mut settings = WriterSettings::new(recipients);
        change(&mut settings);
        let writer = Writer::open(disk, settings, Timestamp::now()).unwrap();
        let audit = Audit::start(writer, AuditSettings::default()).unwrap();
        for (tenant, decision) in [
            ("acme", Decision::Allow),
            ("zenith", Decision::Deny),
            ("acme", Decision::Deny),
        ] {
            audit.reserve().unwrap().send(row(tenant, decision));
        }
        assert!(audit.close(Duration::from_secs(30)));
        std::fs::copy(desk.path("log/audit.pub"), desk.path("audit.pub")).unwrap();
        desk
    }

    fn flip(&self, from_end: usize) {
        let path = self.path("log/00000001.ampaudit");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - from_end;
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

fn row(tenant: &str, decision: Decision) -> Row {
    let mut row = Row::new(Event::Request, Timestamp::now());
    row.decision = Some(decision);
    row.route = Some("/v1/embeddings".into());
    // Someone who chooses such a name wants to forge a line.
    row.id = Some("id\nforged".into());
    row.who = Some(Who {
        name: Some("3f9c2a7be1d04c58".into()),
        tenant: Some(tenant.into()),
        ..Who::default()
    });
    row.model = Some(RowModel {
        name: Some("mini\u{1b}[31mlm".into()),
        ..RowModel::default()
    });
    row
}

const VERIFY: [&str; 4] = ["verify", "log", "--key", "audit.pub"];
const SHOW: [&str; 6] = [
    "show",
    "log",
    "--key",
    "audit.pub",
    "--identity",
    "auditor.key",
];
const EXPORT: [&str; 6] = [
    "export",
    "log",
    "--key",
    "audit.pub",
    "--identity",
    "auditor.key",
];

#[test]
fn an_auditor_makes_an_identity_verifies_a_log_and_reads_it() {
    let desk = Desk::with_log(&[]);
    let file = std::fs::read(desk.path("auditor.key")).unwrap();
    assert!(file.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    // An identity is never written over.
    assert_fails(&desk.json(&["keygen", "auditor.key"]), "io.write", 8);

    let report = succeeds(&desk.json(&VERIFY));
    assert_eq!(
        (&report["rows"], &report["is_closed"]),
        (&5.into(), &true.into())
    );
    let said = desk.text(&VERIFY);
    assert!(
        said.contains("5 rows") && said.contains("no anchor"),
        "{said}"
    );

    let shown = desk.text(&SHOW);
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(
        shown.contains("zenith") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let rows = |more: &[&str]| succeeds(&desk.json(&[&SHOW, more].concat()))["rows"].clone();
    for (more, count) in [
        (&[][..], 5),
        (&["--tenant", "acme"], 2),
        (&["--tenant", "acme", "--denied"], 1),
        (&["--denied"], 2),
        (&["--who", "3f9c2a7be1d04c58"], 3),
        (&["--who", "somebody"], 0),
        (&["--until", "2026-01-01T00:00:00Z"], 0),
        (&["--since", "2026-01-01T00:00:00Z"], 5),
        (&["--limit", "1"], 1),
    ] {
        assert_eq!(rows(more).as_array().unwrap().len(), count, "{more:?}");
    }
    assert_eq!(rows(&["--limit", "1"])[0]["event"], "stop");

    let lines = desk.text(&EXPORT);
    let read: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<_> = read
        .iter()
        .map(|row| row["row"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_fails(&desk.json(&EXPORT), "usage.setting", 2);
    let output = ["--output", "rows.jsonl"];
    succeeds(&desk.json(&[&EXPORT[..], &output].concat()));
    assert_eq!(
        std::fs::read_to_string(desk.path("rows.jsonl")).unwrap(),
        lines
    );
}

#[test]
fn a_log_that_was_changed_or_cut_is_refused_and_rows_before_the_change_are_read() {
    let desk = Desk::with_log(&["--plain"]);
    let anchor = desk.text(&["anchor", "log", "--key", "audit.pub"]);
    std::fs::write(desk.path("anchors"), &anchor).unwrap();
    let with_anchor = [&VERIFY[..], &["--anchor-file", "anchors"]].concat();
    let with_head = [&VERIFY[..], &["--head", "state/head"]].concat();
    assert_eq!(succeeds(&desk.json(&with_anchor))["anchors"], 1);
    assert_eq!(succeeds(&desk.json(&with_head))["anchors"], 1);
    let by_anchor = ["verify", "log", "--anchor", anchor.trim_end()];
    assert_eq!(succeeds(&desk.json(&by_anchor))["rows"], 5);
    assert_fails(&desk.json(&["verify", "log"]), "usage.arguments", 2);

    // The last frame is gone, with nothing of it left: only an anchor tells.
    let path = desk.path("log/00000001.ampaudit");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 129]).unwrap();
    assert_eq!(succeeds(&desk.json(&VERIFY))["is_closed"], false);
    assert_fails(&desk.json(&with_anchor), "audit.rolled-back", 3);
    assert_fails(&desk.json(&with_head), "audit.rolled-back", 3);

    // A byte of the frame before.
    std::fs::write(&path, &whole).unwrap();
    desk.flip(129 + 97);
    assert_fails(&desk.json(&VERIFY), "audit.altered", 3);
    let output = ["--output", "rows.jsonl"];
    assert_fails(
        &desk.json(&[&EXPORT[..], &output].concat()),
        "audit.altered",
        3,
    );
    let rows = std::fs::read_to_string(desk.path("rows.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 4);
}

#[test]
fn a_log_without_its_first_files_is_refused_unless_the_first_one_is_named() {
    let desk = Desk::with_log_of(&["--plain"], |settings| {
        settings.segment_age = Duration::ZERO;
    });
    let name = |number: usize| format!("log/{number:08}.ampaudit");
    let files = (1..).take_while(|number| desk.path(&name(*number)).exists());
    let last = files.last().unwrap();
    assert!(last > 1, "{last}");
    let anchor = desk.text(&["anchor", "log", "--key", "audit.pub"]);
    // As a shell appends the lines of the server's log, again and again, for months.
    std::fs::write(desk.path("anchors"), anchor.repeat(10_000)).unwrap();
    let head = ["--head", "state/head"];
    let anchors = ["--anchor-file", "anchors"];
    let whole = succeeds(&desk.json(&[&VERIFY[..], &head, &anchors].concat()));
    assert_eq!(
        (&whole["first_segment"], &whole["anchors"]),
        (&1.into(), &1.into())
    );

    for number in 1..last {
        std::fs::remove_file(desk.path(&name(number))).unwrap();
    }
    for known in [
        &["--key", "audit.pub"][..],
        &["--key", "audit.pub", "--head", "state/head"],
        &["--key", "audit.pub", "--anchor-file", "anchors"],
        &["--anchor-file", "anchors", "--head", "state/head"],
        &["--anchor", anchor.trim_end()],
    ] {
        let arguments = [&["verify", "log"][..], known].concat();
        assert_fails(&desk.json(&arguments), "audit.missing", 3);
    }
    let from = last.to_string();
    let named = ["log", "--from", &from, "--anchor-file", "anchors"];
    let report = succeeds(&desk.json(&[&["verify"][..], &named].concat()));
    assert_eq!(report["first_segment"], last);
    let said = desk.text(&[&["verify"][..], &named].concat());
    assert!(said.contains(&format!("from file {last} on")), "{said}");
    let reader = ["--identity", "auditor.key"];
    let shown = succeeds(&desk.json(&[&["show"][..], &named, &reader].concat()));
    assert_eq!(shown["log"], report);
    let keyed = desk.json(&[&VERIFY[..], &["--from", &from]].concat());
    assert_fails(&keyed, "usage.setting", 2);
    let none = desk.json(&["verify", "log", "--from", "0", "--anchor-file", "anchors"]);
    assert_fails(&none, "usage.arguments", 2);
}

#[test]
fn a_log_is_read_with_its_own_identity_and_password_only() {
    let desk = Desk::with_log(&[]);
    std::fs::write(desk.path("wrong"), "battery staple\n").unwrap();
    std::fs::write(desk.path("two-lines"), "one\ntwo\n").unwrap();
    for file in ["wrong", "two-lines"] {
        use std::os::unix::fs::PermissionsExt as _;
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(desk.path(file), owner).unwrap();
    }
    let with = |file| desk.json(&[&SHOW[..], &["--password-file", file]].concat());
    assert_fails(&with("wrong"), "audit.identity", 3);
    assert_fails(&with("two-lines"), "usage.password", 2);

    succeeds(&desk.json(&["keygen", "--plain", "other.key"]));
    let other = [
        "show",
        "log",
        "--key",
        "audit.pub",
        "--identity",
        "other.key",
    ];
    assert_fails(&desk.json(&other), "audit.identity", 3);
    // An identity that others can read is refused, as private keys are.
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(desk.path("other.key"), open).unwrap();
    assert_fails(&desk.json(&other), "trust.permissions", 3);
    // Another log's first key does not fit.
    let stranger = Desk::with_log(&["--plain"]);
    std::fs::copy(stranger.path("audit.pub"), desk.path("other.pub")).unwrap();
    assert_fails(
        &desk.json(&["verify", "log", "--key", "other.pub"]),
        "audit.key",
        3,
    );
}
