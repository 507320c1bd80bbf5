//! The sample service of `ampoule serve`, and the health check of its container.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ampoule_tests::{ampoule, set_mode, workspace_file};

use super::{installed, service, unit};

pub(super) const UNIT: &str = "ampoule-serve.service";
const CONFIGURATION: &str = "serve.toml";
const CONTAINER: &str = "Containerfile.serve";

/// Longest time for a server to compile its model on a busy machine.
pub(super) const LOAD_TIME: Duration = Duration::from_secs(120);

/// A server, which is killed when this is dropped.
pub(super) struct Server {
    process: Child,
    pub(super) address: String,
}

impl Server {
    /// Starts the server of the sample unit or another command that serves, and waits until it listens.
    #[track_caller]
    pub(super) fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        Self {
            address: address.unwrap_or_else(|| panic!("{line}")).to_owned(),
            process,
        }
    }

    /// Runs the container's health check.
    fn is_healthy(&self) -> bool {
        let text = fs::read_to_string(sample(CONTAINER)).unwrap();
        let check = text.lines().find(|line| line.starts_with("HEALTHCHECK"));
        let (_, words) = check.unwrap().split_once(" CMD ").unwrap();
        let words: Vec<String> = serde_json::from_str(words).unwrap();
        let (_, port) = self.address.rsplit_once(':').unwrap();
        assert!(words.concat().contains("/8080 "), "{words:?}");
        let mut command = Command::new(&words[0]);
        command.args(words[1..].iter().map(|word| word.replace("8080", port)));
        command.status().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn sample(name: &str) -> std::path::PathBuf {
    workspace_file(&format!("samples/deployment/{name}"))
}

/// Returns the seconds of a setting such as `TimeoutStopSec=35` or `drain-timeout = "25s"`.
#[track_caller]
pub(super) fn seconds(file: &str, setting: &str) -> u64 {
    let text = fs::read_to_string(sample(file)).unwrap();
    let line = text.lines().find(|line| line.starts_with(setting)).unwrap();
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn the_sample_server_answers_under_its_own_settings_and_ends_when_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = installed(directory.path(), CONFIGURATION);
    let text = fs::read_to_string(&configuration).unwrap();
    assert!(text.contains("listen = \"127.0.0.1:8080\""), "{text}");
    fs::write(
        &configuration,
        text.replace("127.0.0.1:8080", "127.0.0.1:0"),
    )
    .unwrap();
    set_mode(&configuration, 0o600);
    let mut server = Server::start(&mut service(UNIT, "network-service", &configuration));
    let begun = Instant::now();
    while !server.is_healthy() {
        assert!(begun.elapsed() < LOAD_TIME, "the model does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    let url = format!("http://{}/v1/models", server.address);
    let models = ureq::get(url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    assert!(models.contains("\"tiny-vlm\""), "{models}");

    let pid = rustix::process::Pid::from_child(&server.process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn service_managers_wait_longer_for_the_sample_server_than_it_drains() {
    // The end takes a second at most, besides.
    let drain = seconds(CONFIGURATION, "drain-timeout") + 1;
    assert!(seconds(UNIT, "TimeoutStopSec=") > drain);
    let guide = fs::read_to_string(workspace_file("docs/operate/containers.md")).unwrap();
    let (_, flag) = guide.split_once("--stop-timeout=").unwrap();
    let digits: String = flag.chars().take_while(char::is_ascii_digit).collect();
    assert!(digits.parse::<u64>().unwrap() > drain, "{digits}");
    let stop = unit(UNIT).into_iter().find(|(name, _)| name == "KillMode");
    assert_eq!(
        stop.unwrap().1,
        "mixed",
        "one signal: a second one ends at once"
    );
}

#[test]
fn a_container_is_unhealthy_while_its_model_does_not_answer() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = installed(directory.path(), CONFIGURATION);
    let text = fs::read_to_string(&configuration).unwrap();
    let text = text.replace("127.0.0.1:8080", "127.0.0.1:0");
    fs::write(&configuration, format!("{text}expect = \"acme/another\"\n")).unwrap();
    set_mode(&configuration, 0o600);
    let server = Server::start(ampoule().arg("serve").arg("--config").arg(&configuration));
    assert!(!server.is_healthy());
    let gone = server.address.clone();
    drop(server);
    let server = Server {
        process: Command::new("true").spawn().unwrap(),
        address: gone,
    };
    assert!(!server.is_healthy(), "nobody listens");
}
