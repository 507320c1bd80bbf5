//! The metrics of a server: their form, their names and their bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ampoule_access::Role;
use ampoule_tests::{Operator, Served, SharedServer, ampoule, installed_program, workspace_file};
use serde_json::json;

use crate::answer_cache::Keeping;

/// Returns the values of a scrape by name and labels.
pub(crate) fn scrape(served: &Served) -> BTreeMap<String, f64> {
    let answer = served.get("/metrics");
    assert_eq!(answer.status, 200);
    series(&answer.text())
}

/// Returns the values of a text of metrics by name and labels.
pub(crate) fn series(text: &str) -> BTreeMap<String, f64> {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let series = series.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        (name.to_owned(), value)
    });
    series.collect()
}

/// Returns the sum of a metric's series whose labels hold all of these.
pub(crate) fn sum(scrape: &BTreeMap<String, f64>, name: &str, labels: &[&str]) -> f64 {
    let is_asked_for = |series: &str| {
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    };
    let values = scrape.iter().filter(|(series, _)| is_asked_for(series));
    values.map(|(_, value)| value).sum()
}

/// Sends requests over one connection, and reads their answers' statuses.
fn ask_many(served: &Served, requests: usize, request: impl Fn(usize) -> String) -> Vec<u16> {
    let mut connection = TcpStream::connect(served.address()).unwrap();
    let mut statuses = Vec::with_capacity(requests);
    let mut unread = Vec::new();
    for index in 0..requests {
        connection.write_all(request(index).as_bytes()).unwrap();
        loop {
            let text = String::from_utf8_lossy(&unread).into_owned();
            let length = text.split_once("\r\n\r\n").map(|(head, _)| {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                head.len() + 4 + length.unwrap().parse::<usize>().unwrap()
            });
            if let Some(length) = length.filter(|length| *length <= unread.len()) {
                statuses.push(text[9..12].parse().unwrap());
                unread.drain(..length);
                break;
            }
            let mut more = [0; 4096];
            let read = connection.read(&mut more).unwrap();
            assert_ne!(read, 0, "the connection ended: {text}");
            unread.extend_from_slice(&more[..read]);
        }
    }
    statuses
}

/// Returns a server that each metric has a series of: it has embedded, generated, and refused.
fn used() -> Arc<SharedServer> {
    let served = SharedServer::get();
    let embedded = json!({"model": "every-task", "input": "a"});
    assert_eq!(served.post("/v1/embeddings", &embedded).status, 200);
    let asked = json!({"model": "every-task", "messages": [{"role": "user", "content": "a"}]});
    let answer = served.post("/v1/chat/completions", &asked);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(served.get("/v1/unknown").status, 404);
    served
}

/// Returns the metrics of a server that has kept an answer.
fn with_answers() -> String {
    let keeping = Keeping::get();
    let key = |role| keeping.server.key(role, |_| {});
    let body = r#"{"model":"every-task","input":"a"}"#;
    let path = "/v1/embeddings";
    let embedded = keeping.server.ask("POST", path, &[&key(Role::Infer)], body);
    assert_eq!(embedded.status, 200, "{embedded:?}");
    let metrics = key(Role::Metrics);
    keeping.server.ask("GET", "/metrics", &[&metrics], "").body
}

#[test]
fn ten_thousand_requests_for_invented_models_and_paths_add_no_series() {
    let served = Served::built_in();
    let request = |index: usize| match index % 4 {
        0 => format!("GET /v1/models/invented-{index} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        1 => format!("GET /invented/{index} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        2 => format!("INVENTED{index} /v1/embeddings HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        _ => {
            let body = json!({"model": format!("invented-{index}"), "input": "x"}).to_string();
            let length = body.len();
            format!(
                "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        }
    };
    ask_many(&served, 4, request);
    scrape(&served);
    let before = scrape(&served);
    let statuses = ask_many(&served, 10_000, request);
    assert!(statuses.iter().all(|status| [404, 405].contains(status)));
    let after = scrape(&served);
    let names = |scrape: &BTreeMap<String, f64>| scrape.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&after), names(&before));
    let requests = "ampoule_http_requests_total";
    let counted =
        sum(&after, requests, &["status=\"404\""]) - sum(&before, requests, &["status=\"404\""]);
    assert_eq!(counted, 7_500.0);
    let unknown = ["family=\"openai\"", "code=\"model.unknown\""];
    let errors = "ampoule_http_errors_total";
    assert_eq!(
        sum(&after, errors, &unknown) - sum(&before, errors, &unknown),
        5_000.0
    );
}

#[test]
fn a_request_is_counted_under_its_models_own_name_with_its_tokens_and_costs() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let served = &Served::models(operator.trust(), &[bundle.path()]);
    let name = served.get("/v1/models").json()["data"][0]["id"].clone();
    let own = format!("model={name}");
    let before = scrape(served);
    // The tag belongs to no name.
    let asked = format!("{}:latest", name.as_str().unwrap());
    let answer = served.post(
        "/v1/embeddings",
        &json!({"model": asked, "input": ["a", "b c"]}),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let after = scrape(served);
    let added = |metric: &str, labels: &[&str]| {
        let labels: Vec<&str> = labels.iter().copied().chain([own.as_str()]).collect();
        sum(&after, metric, &labels) - sum(&before, metric, &labels)
    };
    let route = ["family=\"openai\"", "route=\"/v1/embeddings\""];
    let good = [route[0], route[1], "status=\"200\"", "outcome=\"finished\""];
    assert_eq!(added("ampoule_http_requests_total", &good), 1.0);
    assert_eq!(
        added("ampoule_http_request_duration_seconds_count", &route),
        1.0
    );
    let tokens = answer.json()["usage"]["total_tokens"].as_f64().unwrap();
    assert_eq!(added("ampoule_input_tokens_total", &[]), tokens);
    assert!(added("ampoule_fuel_total", &[]) > 0.0);
    assert_eq!(added("ampoule_sandbox_peak_memory_bytes_count", &[]), 1.0);
    let sandboxes = added("ampoule_sandbox_wait_seconds_count", &[]);
    assert!(sandboxes >= 1.0, "the host tells of each sandbox");
    assert_eq!(
        added("ampoule_sandbox_step_seconds_count", &["step=\"first\""]),
        sandboxes
    );
    assert_eq!(sum(&after, "ampoule_sandboxes", &[]), 0.0);
    assert_eq!(sum(&after, "ampoule_models", &["state=\"ready\""]), 1.0);
}

/// Each of two names of one bundle is a model of its own: the operator gave them.
#[test]
fn a_sandbox_is_counted_under_the_name_that_was_asked_where_a_bundle_has_two() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("ampoule.toml");
    let table = |name: &str| format!("[[model]]\nname = {name:?}\npath = {:?}\n", bundle.path());
    std::fs::write(&config, [table("one"), table("two")].concat()).unwrap();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let served = Served::start(command.arg("--config").arg(config), &[]);
    let asked = [("one", 1.0), ("two", 2.0)];
    for (name, requests) in asked {
        for _ in 0..requests as usize {
            let answer = served.post("/v1/embeddings", &json!({"model": name, "input": "a"}));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    let found = scrape(&served);
    for (name, requests) in asked {
        let own = format!("model={name:?}");
        for metric in [
            "ampoule_http_request_duration_seconds_count",
            "ampoule_sandbox_peak_memory_bytes_count",
            "ampoule_sandbox_wait_seconds_count",
            "ampoule_sandbox_step_seconds_count",
        ] {
            assert_eq!(sum(&found, metric, &[&own]), requests, "{metric} {name}");
        }
    }
}

#[test]
fn the_metrics_have_the_content_type_of_their_format_whatever_a_scraper_accepts() {
    let served = used();
    for accept in [
        "*/*",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    ] {
        let client = ureq::get(served.url("/metrics"))
            .header("accept", accept)
            .call();
        let mut answer = client.unwrap();
        let content_type = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(text.ends_with('\n') && !text.contains("# EOF"), "{text}");
    }
}

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    let served = used();
    let mut promtool = Command::new(installed_program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool is expected, see `cargo xtask setup`: {error}"));
    let text = served.get("/metrics").body;
    promtool.stdin.take().unwrap().write_all(&text).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_manual_lists_each_metric_with_its_type_and_labels_and_no_other() {
    let exposed = used().get("/metrics").text() + &with_answers();
    let mut found = BTreeMap::<String, (String, BTreeSet<String>)>::new();
    for line in exposed.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            found
                .entry(name.to_owned())
                .or_insert_with(|| (kind.to_owned(), BTreeSet::new()));
        } else if let Some((name, labels)) = line.split_once('{') {
            let of_histogram = ["_bucket", "_sum", "_count"];
            let of_histogram = of_histogram.iter().find_map(|end| name.strip_suffix(end));
            let name = of_histogram
                .filter(|name| found.contains_key(*name))
                .unwrap_or(name);
            let labels = labels.rsplit_once('}').unwrap().0;
            // No value of a label has an equals sign with a quote behind it.
            let names = labels.split("=\"").filter_map(|part| {
                let name = part
                    .rsplit([',', '"'])
                    .next()
                    .filter(|name| !name.is_empty());
                name.filter(|name| *name != "le").map(str::to_owned)
            });
            found.get_mut(name).unwrap().1.extend(names);
        }
    }
    let page = std::fs::read_to_string(workspace_file("docs/operate/metrics.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned());
        let name = cells[0].trim_end_matches('`').to_owned();
        (name, (cells[1].to_owned(), labels.collect()))
    });
    // This server has no audit log.
    let listed = listed.filter(|(name, _)| !name.starts_with("ampoule_audit_"));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), found);
}
