//! The audit log of a server: a row a decision, whatever becomes of the request, the disk and the process.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use ampoule_access::{Rates, Role};
use ampoule_audit::{Decision, Event, Identity, NumberedRow, Row};
use ampoule_tests::{Served, ampoule, assert_fails, workspace_file};
use serde_json::Value;

use crate::audited::{Asked, Audited, wait_until};
use crate::guarded::bearer;
use crate::metrics::{scrape, series, sum};

const CLIENTS: usize = 8;
const ROUNDS: usize = 4;

/// Settings with which rows are on disk at once.
const AT_ONCE: &str = "flush-interval = \"20ms\"";

const EMBED: Asked<'_> = Asked {
    method: "POST",
    path: "/v1/embeddings",
    body: r#"{"model":"every-task","input":"one"}"#,
    authorization: "",
};

const LIST: Asked<'_> = Asked {
    method: "GET",
    path: "/v1/models",
    body: "",
    authorization: "",
};

/// The log of a server that is over, after a mixed load.
struct Loaded {
    audited: Audited,
    rows: Vec<NumberedRow>,
    /// Lines of the access log.
    lines: Vec<Value>,
    /// Metrics before the end.
    metrics: BTreeMap<String, f64>,
    /// Requests that have a row.
    sent: usize,
}

/// Requests of all families: answered, refused, wrong and unknown. `true` for those that a client leaves.
const LOAD: &[(&str, &str, &str, &str, bool)] = &[
    ("GET", "/v1/models", "", "infer", false),
    (
        "POST",
        "/v1/embeddings",
        r#"{"model":"every-task","input":["one","two"]}"#,
        "infer",
        false,
    ),
    (
        "POST",
        "/v1/chat/completions",
        r#"{"model":"every-task","messages":[{"role":"user","content":"one"}],"stream":true}"#,
        "infer",
        false,
    ),
    (
        "POST",
        "/v1/chat/completions",
        r#"{"model":"endless","messages":[{"role":"user","content":"one"}],"stream":true}"#,
        "infer",
        true,
    ),
    (
        "POST",
        "/api/embed",
        r#"{"model":"every-task:latest","input":"one"}"#,
        "infer",
        false,
    ),
    (
        "POST",
        "/embed?model=every-task",
        r#"{"inputs":"one"}"#,
        "infer",
        false,
    ),
    (
        "POST",
        "/v2/models/every-task/infer",
        r#"{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["one"]}]}"#,
        "infer",
        false,
    ),
    (
        "POST",
        "/ampoule/v1/models/every-task/text-embedding",
        r#"{"texts":["one"]}"#,
        "infer",
        false,
    ),
    ("GET", "/metrics", "", "metrics", false),
    // Not let in.
    ("POST", "/v1/embeddings", "{}", "", false),
    ("POST", "/api/embed", "{}", "wrong", false),
    ("POST", "/v2/models/every-task/infer", "{}", "list", false),
    ("GET", "/v1/models", "", "limited", false),
    ("GET", "/no/such/route", "", "infer", false),
    ("PATCH", "/v1/models", "", "infer", false),
    ("INVENTED", "/v1/models", "", "infer", false),
    // Let in, and refused later.
    (
        "POST",
        "/v1/embeddings",
        r#"{"model":"none","input":"one"}"#,
        "infer",
        false,
    ),
    ("POST", "/v1/embeddings", "{not json", "infer", false),
];

/// Requests about which nothing is decided.
const PUBLIC: &[&str] = &["/healthz", "/readyz", "/openapi.json", "/api/version"];

static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let audited = Audited::new();
    let mut keys = BTreeMap::from([("", String::new())]);
    for (name, role) in [
        ("infer", Role::Infer),
        ("list", Role::List),
        ("metrics", Role::Metrics),
    ] {
        keys.insert(name, bearer(&audited.key(role, |_| {})));
    }
    let limited = audited.key(Role::Infer, |key| {
        key.rates = Rates {
            requests: Some("1/1h".parse().unwrap()),
            ..Rates::default()
        };
    });
    keys.insert("limited", bearer(&limited));
    let wrong = format!("Bearer amp_{}_{}", "00".repeat(8), "00".repeat(32));
    keys.insert("wrong", wrong);
    let served = audited.start("");
    let address = served.address();
    let keys = &keys;
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    for step in 0..LOAD.len() {
                        // Each client at another place of the list.
                        let index = (step + client * 5) % LOAD.len();
                        let (method, path, body, key, is_left) = LOAD[index];
                        let asked = Asked {
                            method,
                            path,
                            body,
                            authorization: &keys[key],
                        };
                        let id = format!("c{client}-r{round}-{index}");
                        if is_left {
                            asked.leave(address, &id);
                        } else {
                            asked.send(address, &id);
                        }
                    }
                    for path in PUBLIC {
                        let asked = Asked { path, ..LIST };
                        asked.send(address, &format!("public-{client}-{round}"));
                    }
                }
            });
        }
    });
    let sent = CLIENTS * ROUNDS * LOAD.len();
    let by_metrics = Asked {
        path: "/metrics",
        authorization: &keys["metrics"],
        ..LIST
    };
    let mut metrics = BTreeMap::new();
    // Those that were left have rows, too. The start has one, and the request for metrics is at work.
    wait_until("all rows", || {
        let (status, answer) = by_metrics.send(address, "scrape");
        assert_eq!(status, 200, "{answer}");
        metrics = series(answer.split_once("\r\n\r\n").unwrap().1);
        let waits = metrics["ampoule_audit_rows_waiting"];
        let gone = sum(
            &metrics,
            "ampoule_http_requests_total",
            &["outcome=\"client-gone\""],
        );
        waits <= 1.0 && gone >= (CLIENTS * ROUNDS) as f64
    });
    served.terminate();
    assert_eq!(served.wait(), Some(0), "{}", audited.said());
    let said = audited.said();
    let lines = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    Loaded {
        rows: audited.rows(),
        lines: lines
            .filter(|line| line["target"] == "ampoule::access")
            .collect(),
        audited,
        metrics,
        sent,
    }
});

fn text<const BYTES: usize>(cut: Option<&ampoule_audit::Cut<BYTES>>) -> Value {
    cut.map_or(Value::Null, |cut| cut.as_str().into())
}

/// Returns the facts of a row that the access log has, too, by the names of the access log.
fn facts(row: &Row) -> [(&'static str, Value); 19] {
    let who = row.who.clone().unwrap_or_default();
    let is_finished = |text: &Value| text == "finished" || text == "client-gone";
    let outcome = text(row.outcome.as_ref());
    let (outcome, error) = if is_finished(&outcome) {
        (outcome, Value::Null)
    } else {
        ("error".into(), outcome)
    };
    let number = |number: Option<u64>| number.map_or(Value::Null, Into::into);
    let model = row.model.as_ref().and_then(|model| model.name.as_ref());
    [
        ("peer", text(row.peer.as_ref())),
        ("route", text(row.route.as_ref())),
        ("family", text(row.family.as_ref())),
        ("status", number(row.status.map(u64::from))),
        ("outcome", outcome),
        ("error", error),
        ("bytes", number(row.bytes)),
        ("body_bytes", number(row.body_bytes)),
        ("model", text(model)),
        ("input_tokens", number(row.input_tokens)),
        ("output_tokens", number(row.output_tokens)),
        ("fuel", number(row.fuel)),
        ("peak_memory_bytes", number(row.peak_memory_bytes)),
        ("tenant", text(who.tenant.as_ref())),
        ("method", text(row.method.as_ref())),
        ("key", text(who.name.as_ref())),
        ("denied", text(row.reason.as_ref())),
        ("tls", text(row.tls.as_ref())),
        ("cache", text(row.cache.as_ref())),
    ]
}

#[test]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
fn every_request_of_a_mixed_load_has_one_row_that_agrees_with_the_access_log() {
    let loaded = &*LOADED;
    let rows = &loaded.rows;
    let (first, last) = (&rows[0].row, &rows[rows.len() - 1].row);
    assert_eq!((first.event, last.event), (Event::Start, Event::Stop));
    let mut by_id = BTreeMap::new();
    for row in &rows[1..rows.len() - 1] {
        let id = row.row.id.as_ref().unwrap().as_str();
        if id != "scrape" {
            assert!(by_id.insert(id, &row.row).is_none(), "{row:#?}");
        }
    }
    assert_eq!(by_id.len(), loaded.sent);
    let is_public = |line: &Value| PUBLIC.iter().any(|path| line["route"] == *path);
    let mut seen = 0;
    for line in &loaded.lines {
        let id = line["id"].as_str().unwrap();
        if id == "scrape" {
            continue;
        }
        if is_public(line) {
            assert!(!by_id.contains_key(id), "{line}");
            continue;
        }
        let row = by_id[id];
        for (name, found) in facts(row) {
            let mut told = line.get(name).cloned().unwrap_or_default();
            if name == "method" && told == "_OTHER" {
                // A word of the caller's.
                told = "other".into();
            }
            if name == "denied" && told == Value::Null && row.event == Event::Denied {
                // No gate has refused it, and the error is the reason.
                told = line["error"].clone();
            }
            assert_eq!(found, told, "{name}: {row:#?}\n{line}");
        }
        #[allow(
            clippy::cast_precision_loss,
            reason = "a request takes minutes at most"
        )]
        let micros = row.duration_us.unwrap() as f64;
        let told = line["duration_ms"].as_f64().unwrap() * 1_000.0;
        assert!((micros - told).abs() < 2.0, "{micros} {told}");
        let is_answered = line["model"] != Value::Null;
        assert_eq!(row.model.is_some(), is_answered);
        seen += 1;
    }
    // Scrapes that succeed are told at debug.
    assert_eq!(
        seen,
        loaded.sent - CLIENTS * ROUNDS,
        "successes of /metrics"
    );
    println!("{seen} rows agree with the access log");
}

#[test]
fn a_row_says_who_asked_which_model_by_its_digest_and_what_was_decided() {
    let loaded = &*LOADED;
    let row = |id: &str| {
        let mut rows = loaded.rows.iter().map(|row| &row.row);
        rows.find(|row| row.id.as_ref().is_some_and(|found| found.as_str() == id))
            .unwrap()
    };
    let json = |row: &Row| serde_json::to_value(row).unwrap();
    let embedded = json(row("c0-r0-1"));
    assert_eq!(embedded["event"], "request", "{embedded:#}");
    assert_eq!(embedded["decision"], "allow");
    assert_eq!(embedded["task"], "text-embedding");
    let who = &embedded["who"];
    assert_eq!(
        (&who["kind"], &who["role"], &who["tenant"]),
        (&"key".into(), &"infer".into(), &"acme".into())
    );
    let model = &embedded["model"];
    assert_eq!(model["name"], "every-task");
    assert_eq!(model["manifest"].as_str().unwrap().len(), 64, "{model}");
    for part in ["publisher", "version", "release"] {
        assert!(!model[part].is_null(), "{part}: {model}");
    }
    for (index, reason, status) in [
        (9, "missing", 401),
        (10, "unknown", 401),
        (11, "role", 403),
        (13, "route.unknown", 404),
        (14, "route.method", 405),
    ] {
        let denied = row(&format!("c1-r1-{index}"));
        assert_eq!(
            (denied.event, denied.decision),
            (Event::Denied, Some(Decision::Deny))
        );
        assert_eq!(text(denied.reason.as_ref()), reason);
        assert_eq!(denied.status, Some(status));
    }
    let limited = loaded.rows.iter().filter(|row| {
        text(row.row.reason.as_ref()) == "rate.key.requests" && row.row.status == Some(429)
    });
    assert_eq!(limited.count(), CLIENTS * ROUNDS - 1);
    let left = row("c2-r2-3");
    assert_eq!(text(left.outcome.as_ref()), "client-gone");
    assert!(
        left.fuel.is_some() && left.output_tokens.is_some(),
        "{left:#?}"
    );
}

#[test]
fn a_server_counts_its_rows_and_the_metrics_page_names_each_count() {
    let loaded = &*LOADED;
    let count = |name: &str| loaded.metrics[&format!("ampoule_audit_{name}")];
    assert!(count("rows_total") > loaded.sent as f64);
    assert_eq!((count("rows_lost_total"), count("failing")), (0.0, 0.0));
    assert!(count("sequence") >= 1.0);
    let page = fs::read_to_string(workspace_file("docs/operate/metrics.md")).unwrap();
    let described: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("ampoule_audit_"))
        .collect();
    let mut told: Vec<_> = loaded.metrics.keys().map(String::as_str).collect();
    told.retain(|name| name.starts_with("ampoule_audit_"));
    let mut described_sorted = described;
    described_sorted.sort_unstable();
    assert_eq!(described_sorted, told);
}

#[test]
fn nothing_on_the_servers_disk_reads_its_audit_log() {
    let loaded = &*LOADED;
    let audited = &loaded.audited;
    let mut files = 0;
    let mut look = |directory: &Path| {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            files += 1;
            assert!(
                Identity::from_file(&bytes, None).is_err(),
                "{} is an identity",
                path.display()
            );
            if path.extension().is_some_and(|end| end == "ampaudit") {
                for word in ["every-task", "text-embedding", "acme", "/v1/", "127.0.0.1"] {
                    let is_there = bytes
                        .windows(word.len())
                        .any(|part| part == word.as_bytes());
                    assert!(!is_there, "{word} in {}", path.display());
                }
            }
        }
    };
    for directory in [&audited.log, &audited.state(), &audited.path("state")] {
        look(directory);
    }
    look(&audited.path("keys"));
    assert!(files >= 6, "{files} files");
    // The signing key is no identity for the command either, whatever it is taken for.
    let mut command = ampoule();
    command.args(["audit", "show", "--json"]).arg(&audited.log);
    command.arg("--key").arg(audited.log.join("audit.pub"));
    command
        .arg("--identity")
        .arg(audited.state().join("signing-key"));
    assert_fails(&command.output().unwrap(), "audit.identity", 3);
    assert!(!audited.said().contains("AGE-SECRET-KEY"));
    assert!(audited.said().contains("ampoule-audit-anchor-v1 "));
}

#[test]
fn keys_that_are_made_and_revoked_under_a_server_have_rows() {
    let audited = Audited::new();
    let first = audited.key(Role::Infer, |_| {});
    let served = audited.start(AT_ONCE);
    let second = audited.key(Role::Infer, |_| {});
    let asked = |key: &ampoule_access::NewKey| {
        let authorization = bearer(key);
        let asked = Asked {
            authorization: &authorization,
            ..LIST
        };
        asked.send(served.address(), "asked").0
    };
    wait_until("the second key", || asked(&second) == 200);
    audited
        .keys()
        .revoke(&[first.record.name], ampoule_signing::Timestamp::now())
        .unwrap();
    wait_until("the first key's end", || asked(&first) == 401);
    let of_keys = || {
        let rows = audited.rows();
        let rows = rows.iter().filter(|row| row.row.event == Event::Key);
        let facts = rows.map(|row| {
            let who = row.row.who.clone().unwrap();
            format!("{} {}", who.name.unwrap(), row.row.reason.as_ref().unwrap())
        });
        facts.collect::<Vec<_>>()
    };
    wait_until("both rows", || of_keys().len() == 2);
    let expected = [
        format!("{} accepted", second.record.name),
        format!("{} ended", first.record.name),
    ];
    assert_eq!(of_keys(), expected);
}

#[test]
fn a_server_that_records_denials_has_rows_of_those_alone() {
    let audited = Audited::new();
    let authorization = bearer(&audited.key(Role::Infer, |_| {}));
    let served = audited.start("record = \"denied\"");
    for (index, key) in [&*authorization, "Bearer x", &authorization]
        .into_iter()
        .enumerate()
    {
        let asked = Asked {
            authorization: key,
            ..EMBED
        };
        let status = asked.send(served.address(), &format!("id-{index}")).0;
        assert_eq!(status, if index == 1 { 401 } else { 200 });
    }
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    let rows = audited.rows();
    let events: Vec<_> = rows.iter().map(|row| row.row.event).collect();
    assert_eq!(events, [Event::Start, Event::Denied, Event::Stop]);
    assert_eq!(text(rows[1].row.reason.as_ref()), "malformed");
}

#[test]
fn requests_that_a_drain_stops_have_rows_and_the_log_is_closed() {
    let audited = Audited::new();
    let mut command = audited.command("");
    let served = Served::start(&mut command, &["--drain-timeout", "200ms"]);
    let endless = Asked {
        path: "/v1/chat/completions",
        body: r#"{"model":"endless","messages":[{"role":"user","content":"one"}],"stream":true}"#,
        ..EMBED
    };
    let address = served.address();
    let (status, answer) = std::thread::scope(|scope| {
        let asked = scope.spawn(move || endless.send(address, "endless"));
        wait_until("a guest at work", || {
            scrape(&served)["ampoule_sandboxes"] > 0.0
        });
        served.terminate();
        asked.join().unwrap()
    });
    assert!(status == 200 && answer.contains("limit.busy"), "{answer}");
    assert_eq!(served.wait(), Some(0), "{}", audited.said());
    let report = audited.verify().unwrap();
    assert!(report.is_closed, "{report:?}");
    let rows = audited.rows();
    let row = rows
        .iter()
        .find(|row| text(row.row.id.as_ref()) == "endless");
    let row = &row.unwrap().row;
    assert_eq!(text(row.outcome.as_ref()), "limit.busy");
    assert!(row.output_tokens > Some(0), "{row:#?}");
    assert_eq!(rows[rows.len() - 1].row.event, Event::Stop);
}

#[test]
fn a_row_names_the_version_of_tls() {
    let audited = Audited::new();
    let mut command = audited.command("");
    let served = Served::listening(&mut command, &crate::tls::SERVER.arguments());
    let client = crate::tls::client(&["http/1.1"]);
    let lines = "x-request-id: secured\r\n";
    let answer = client.get(served.address(), "/v1/models", lines);
    assert_eq!(answer.unwrap().status, 200);
    served.terminate();
    assert_eq!(served.wait(), Some(0), "{}", audited.said());
    let rows = audited.rows();
    let row = rows
        .iter()
        .find(|row| text(row.row.id.as_ref()) == "secured");
    assert_eq!(text(row.unwrap().row.tls.as_ref()), "1.3");
}

#[test]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
fn a_killed_server_leaves_a_log_that_verifies_and_the_next_one_goes_on() {
    let audited = Audited::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut before = 0;
    for kill in 0..6 {
        let mut served = audited
            .start("flush-interval = \"5ms\"\nbatch-bytes = \"8KiB\"\nsegment-bytes = \"64KiB\"");
        let address = served.address();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let life = Duration::from_micros(10_000 + random % 300_000);
        let answered: usize = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|client| {
                    scope.spawn(move || {
                        let mut answered = 0;
                        while EMBED
                            .try_send(address, &format!("k{kill}-{client}-{answered}"))
                            .is_some()
                        {
                            answered += 1;
                        }
                        answered
                    })
                })
                .collect();
            std::thread::sleep(life);
            served.kill();
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .sum()
        });
        let report = audited.verify().unwrap_or_else(|error| panic!("{error}"));
        assert!(report.rows > before, "the start has a row");
        assert!(!report.is_closed);
        println!(
            "killed after {life:?}: {answered} answers, {} rows in {} segments, {} bytes unfinished",
            report.rows - before,
            report.segments,
            report.unfinished_bytes
        );
        before = report.rows;
    }
    let served = audited.start("");
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    let report = audited.verify().unwrap();
    assert!(
        report.is_closed && report.unfinished_bytes == 0,
        "{report:?}"
    );
    let starts = audited.rows();
    let starts = starts.iter().filter(|row| row.row.event == Event::Start);
    assert_eq!(starts.count(), 7);
}

/// Tries to start a server with this log, and returns its message.
#[track_caller]
fn does_not_start(audited: &Audited, code: &str) -> String {
    let mut command = audited.command(AT_ONCE);
    command.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    let output = command.output().unwrap();
    assert_fails(&output, code, 3);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("audit.directory") && said.contains("line 4"),
        "{said}"
    );
    said
}

#[test]
fn a_log_that_was_changed_ends_the_start_with_the_place_of_the_change() {
    let audited = Audited::new();
    let served = audited.start(AT_ONCE);
    assert_eq!(EMBED.send(served.address(), "id").0, 200);
    // One log has one server.
    let said = does_not_start(&audited, "audit.in-use");
    assert!(said.contains("another process"), "{said}");
    served.terminate();
    assert_eq!(served.wait(), Some(0));

    let segment = audited.log.join("00000001.ampaudit");
    let whole = fs::read(&segment).unwrap();
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle] ^= 1;
    fs::write(&segment, &changed).unwrap();
    let said = does_not_start(&audited, "audit.altered");
    assert!(
        said.contains("segment 1, frame") && said.contains("begin with empty directories"),
        "{said}"
    );
    assert_eq!(
        fs::read(&segment).unwrap(),
        changed,
        "evidence stays as it is"
    );
    // The last frame is gone, with nothing of it left.
    fs::write(&segment, &whole[..whole.len() - 129]).unwrap();
    does_not_start(&audited, "audit.rolled-back");
    fs::remove_file(&segment).unwrap();
    does_not_start(&audited, "audit.rolled-back");

    fs::write(&segment, &whole).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&segment, fs::Permissions::from_mode(0o600)).unwrap();
    let served = audited.start(AT_ONCE);
    served.terminate();
    assert_eq!(served.wait(), Some(0), "{}", audited.said());
}

/// Starts a server whose log is on a small disk of its own, which the files `fill`, `free` and `copy` command.
fn on_small_disk(audited: &mut Audited, settings: &str) -> Served {
    let disk = audited.path("disk");
    fs::create_dir(&disk).unwrap();
    audited.log = disk.join("log");
    let folder = audited.path("");
    let script = format!(
        "cd {folder:?} && mount -t tmpfs -o size=256k,mode=700 none disk && {{ (\n\
         wait_for() {{ while ! test -e $1; do sleep 0.02; done; }}\n\
         wait_for fill; dd if=/dev/zero of=disk/filler bs=512 2>/dev/null; touch filled\n\
         wait_for free; rm disk/filler; touch freed\n\
         wait_for copy; cp -r disk/log copied.part; mv copied.part copied\n\
         ) & }}",
        folder = folder.display().to_string(),
    );
    let mut command = audited.command(settings);
    command.arg("--insecure-permissions");
    let mut outer = ampoule_tests::with_mounts(&script, &command);
    let log = fs::File::create(audited.path("stderr")).unwrap();
    outer.stderr(log);
    Served::start(&mut outer, &["--access-log", "--log-format", "json"])
}

fn order(audited: &Audited, word: &str, done: &str) {
    fs::write(audited.path(word), "").unwrap();
    wait_until(done, || audited.path(done).exists());
}

/// Copies the log to where it can be read. Returns its rows, and the number of requests for metrics until then.
fn copied(audited: &Audited, served: &Served) -> (Vec<NumberedRow>, f64) {
    let mut scrapes = 0.0;
    wait_until("all rows", || {
        let now = scrape(served);
        let of_metrics = ["route=\"/metrics\""];
        scrapes = sum(&now, "ampoule_http_requests_total", &of_metrics);
        now["ampoule_audit_rows_waiting"] <= 1.0
    });
    // A frame with the last request may come in the meantime.
    fs::create_dir(audited.path("state-copy")).unwrap();
    let head = audited.path("state-copy/head");
    fs::copy(audited.state().join("head"), head).unwrap();
    order(audited, "copy", "copied");
    let state = audited.path("state-copy");
    let rows = crate::audited::rows(&audited.path("copied"), &state, &audited.identity);
    (rows, scrapes)
}

#[test]
fn while_the_disk_is_full_nothing_is_answered_that_cannot_be_recorded() {
    let mut audited = Audited::new();
    let served = on_small_disk(&mut audited, AT_ONCE);
    let address = served.address();
    let mut answered = 0;
    let mut ask = || {
        answered += 1;
        EMBED.send(address, &format!("id-{answered}"))
    };
    let mut allowed = 0;
    for _ in 0..10 {
        assert_eq!(ask().0, 200);
        allowed += 1;
    }
    order(&audited, "fill", "filled");
    // Those that were let in before the failure was known have rows.
    wait_until("a refusal", || {
        let (status, answer) = ask();
        allowed += usize::from(status == 200);
        if status == 503 {
            let answer = answer.to_lowercase();
            assert!(answer.contains("audit.unavailable"), "{answer}");
            assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
            assert!(answer.contains("\r\nx-should-retry: true\r\n"), "{answer}");
        }
        status == 503
    });
    // Those who watch the server see it and why.
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/readyz").json()["audit_error"], "io.audit");
    assert_eq!(scrape(&served)["ampoule_audit_failing"], 1.0);
    for path in [
        "/v1/models",
        "/api/tags",
        "/v2",
        "/info",
        "/ampoule/v1/models",
    ] {
        let asked = Asked { path, ..LIST };
        assert_eq!(asked.send(address, "refused").0, 503, "{path}");
    }
    order(&audited, "free", "freed");
    wait_until("an answer", || {
        let status = ask().0;
        allowed += usize::from(status == 200);
        status == 200
    });
    assert_eq!(served.get("/readyz").status, 200);
    let (rows, _) = copied(&audited, &served);
    let embedded = rows
        .iter()
        .filter(|row| text(row.row.route.as_ref()) == "/v1/embeddings");
    let embedded: Vec<_> = embedded.map(|row| row.row.status).collect();
    assert_eq!(embedded, vec![Some(200); allowed]);
    assert!(
        rows.iter().all(|row| row.row.event != Event::Lost),
        "{rows:#?}"
    );
}

#[test]
fn while_the_disk_is_full_a_server_that_continues_counts_the_rows_that_are_missing() {
    let mut audited = Audited::new();
    let settings = "on-failure = \"continue\"\nflush-interval = \"20ms\"\nbatch-bytes = \"8KiB\"\nmemory-bytes = \"32KiB\"";
    let served = on_small_disk(&mut audited, settings);
    let ask = |id: usize| assert_eq!(EMBED.send(served.address(), &format!("id-{id}")).0, 200);
    (0..10).for_each(ask);
    order(&audited, "fill", "filled");
    (10..400).for_each(ask);
    let full = scrape(&served);
    assert_eq!(full["ampoule_audit_failing"], 1.0);
    assert!(full["ampoule_audit_rows_lost_total"] > 50.0, "{full:?}");
    assert!(full["ampoule_audit_rows_waiting"] < 300.0);
    order(&audited, "free", "freed");
    wait_until("a row", || scrape(&served)["ampoule_audit_failing"] == 0.0);
    (400..410).for_each(ask);
    let (rows, scrapes) = copied(&audited, &served);
    let there = rows
        .iter()
        .filter(|row| row.row.event == Event::Request)
        .count();
    let lost: u64 = rows.iter().filter_map(|row| row.row.lost_rows).sum();
    // Each request has a row, or is counted; that of the last scrape may be written by now.
    let counted = there as f64 + lost as f64 - scrapes;
    assert!(
        lost > 50 && (410.0..=411.0).contains(&counted),
        "{there} {lost} {scrapes}"
    );
}

#[test]
fn an_audit_log_that_cannot_be_is_refused_with_its_key_and_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let recipient = Identity::generate().recipient();
    let head = format!(
        "state = {:?}\n[audit]\ndirectory = {:?}\n",
        folder.path().join("state"),
        folder.path().join("log")
    );
    let with = format!("{head}recipients = [{recipient:?}]\n");
    for (text, code, line, key) in [
        (head.clone(), "usage.setting", 3, "audit.directory"),
        (
            format!("{head}recipients = []\n"),
            "audit.recipient",
            4,
            "audit.recipients",
        ),
        (
            format!("{head}recipients = [\"age1x\"]\n"),
            "audit.recipient",
            4,
            "audit.recipients",
        ),
        (
            format!("{with}recipients-file = \"r\"\n"),
            "usage.setting",
            5,
            "audit.recipients-file",
        ),
        (
            format!("{head}recipients-file = \"/no/such\"\n"),
            "io.failed",
            4,
            "audit.recipients-file",
        ),
        (
            format!("{with}on-failure = \"stop\"\n"),
            "usage.config",
            5,
            "audit.on-failure",
        ),
        (
            format!("{with}record = \"some\"\n"),
            "usage.config",
            5,
            "audit.record",
        ),
        (
            format!("{with}contents = true\n"),
            "usage.config",
            5,
            "audit.contents",
        ),
        (
            format!("{with}flush-interval = \"2m\"\n"),
            "usage.setting",
            5,
            "audit.flush-interval",
        ),
        (
            format!("{with}batch-bytes = \"1KiB\"\n"),
            "usage.setting",
            5,
            "audit.batch-bytes",
        ),
        (
            format!("{with}batch-bytes = \"7MiB\"\n"),
            "usage.setting",
            5,
            "audit.batch-bytes",
        ),
        (
            format!("{with}segment-bytes = \"128KiB\"\n"),
            "usage.setting",
            5,
            "audit.segment-bytes",
        ),
        (
            format!("{with}segment-age = \"0d\"\n"),
            "usage.config",
            5,
            "audit.segment-age",
        ),
        (
            format!("{with}memory-bytes = \"256KiB\"\n"),
            "usage.setting",
            5,
            "audit.memory-bytes",
        ),
        (
            format!("{with}state = {:?}\n", folder.path().join("log/state")),
            "usage.setting",
            5,
            "audit.state",
        ),
        (
            with.replace(&format!("state = {:?}\n", folder.path().join("state")), ""),
            "usage.setting",
            2,
            "audit.directory",
        ),
        (
            "[audit]\nrecord = \"all\"\n".to_owned(),
            "usage.setting",
            2,
            "audit.record",
        ),
    ] {
        let file = folder.path().join("ampoule.toml");
        fs::write(&file, &text).unwrap();
        let mut command = ampoule();
        command.args([
            "serve",
            "--built-in",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--config",
        ]);
        let output = command.arg(&file).output().unwrap();
        let status = match code.split('.').next() {
            Some("io") => 8,
            Some("audit") => 3,
            _ => 2,
        };
        assert_fails(&output, code, status);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains(&format!("line {line}: `{key}`")),
            "{text}\n{said}"
        );
        assert!(!folder.path().join("log").exists(), "{text}");
    }
}
