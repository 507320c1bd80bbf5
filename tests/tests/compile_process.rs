//! Compiling in a process of its own: a component that keeps the compiler busy for ever, or makes it take all
//! memory, is given up together with that process, and the host lives on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "compile_process/loads.rs"]
mod loads;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ampoule::{ByteSize, CompileProcess, Host, Limit, Limits, Remedy};
use ampoule_tests::{
    Operator, Publisher, WrittenBundle, ampoule, assert_fails, block_on, json_of, test_guest,
    wat_guest,
};
use serde_json::json;

/// Makes a component that works, and that has a core module which nobody instantiates: one function of so many
/// operators that the compiler needs many seconds and more than a gigabyte for it.
fn explosive_component() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..400_000 {
        let (to, from) = (number % 40, (number * 7 + 3) % 40);
        let _ = write!(
            body,
            "(local.set {to} (i32.add (local.get {from}) (i32.mul (local.get {to}) (i32.const {number}))))"
        );
    }
    let locals = "i32 ".repeat(40);
    let text = format!("(module (func (export \"f\") (local {locals}) {body}))");
    let module = wat::parse_str(text).unwrap();

    let mut component = test_guest("every_task");
    // A section of a component: its kind (1 is a core module), its length, its bytes.
    component.push(1);
    let mut length = module.len();
    while length >= 0x80 {
        component.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    component.push(u8::try_from(length).unwrap());
    component.extend(module);
    component
}

/// Makes a bundle of that component, whose `init` may take next to no time.
fn explosive(publisher: &Publisher) -> WrittenBundle {
    publisher
        .every_task()
        .component(explosive_component())
        .set("/limits/init/deadline_ms", json!(100))
        .write()
}

/// Returns the compiler of hosts in this process: the command's own worker.
fn worker() -> CompileProcess {
    let command = ampoule();
    CompileProcess::new(command.get_program(), ["compile-worker"])
}

#[test]
fn a_component_that_takes_for_ever_to_compile_is_given_up() {
    let operator = Operator::new();
    let bundle = explosive(operator.publisher());
    let began = Instant::now();
    let mut command =
        operator.ampoule(&["verify", "--json", "--no-cache", "--compile-timeout", "1s"]);
    let output = command.arg(bundle.path()).output().unwrap();
    assert_fails(&output, "compile.limit", 6);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_component_that_takes_all_memory_to_compile_is_given_up() {
    let operator = Operator::new();
    let bundle = explosive(operator.publisher());
    let mut command = operator.ampoule(&[
        "verify",
        "--json",
        "--no-cache",
        "--compile-memory",
        "192MiB",
    ]);
    let output = command.arg(bundle.path()).output().unwrap();
    assert_fails(&output, "compile.limit", 6);
    let message = json_of(&output)["error"]["message"].to_string();
    assert!(message.contains("192MiB"), "{message}");
}

#[test]
fn a_host_serves_on_after_a_component_that_could_not_be_compiled() {
    let publisher = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.compile.time = Duration::from_millis(500);
    let host = Host::builder()
        .trust(publisher.trust())
        .limits(limits)
        .compile_with(worker())
        .build()
        .unwrap();
    let bad = explosive(&publisher);
    let error = block_on(host.load(bad.path())).err().unwrap();
    assert_eq!(error.code(), "compile.limit", "{error}");

    let good = publisher
        .bundle(test_guest("traps"))
        .set("/limits/init/deadline_ms", json!(60_000))
        .write();
    let model = block_on(host.load(good.path())).unwrap();
    let error = block_on(model.embed_text(&["x"])).unwrap_err();
    assert_eq!(error.code(), "guest.trap", "{error}");
}

#[test]
fn what_init_fails_with_is_told_as_it_is_without_the_process() {
    let publisher = Publisher::new("acme");
    for (guest, deadline, code) in [
        ("fails_in_init", 3_000, "guest.error"),
        ("panics_in_init", 3_000, "guest.trap"),
        ("allocates_in_init", 3_000, "limit.memory"),
        ("spins_in_init", 300, "limit.deadline"),
    ] {
        let bundle = publisher
            .bundle(test_guest(guest))
            .set("/limits/init/deadline_ms", json!(deadline))
            .write();
        let [with, without] = [Some(worker()), None].map(|worker| {
            let mut host = Host::builder().trust(publisher.trust());
            if let Some(worker) = worker {
                host = host.compile_with(worker);
            }
            let host = host.build().unwrap();
            block_on(host.load(bundle.path())).err().unwrap()
        });
        assert_eq!(with.code(), code, "{guest}: {with}");
        assert_eq!(without.code(), code, "{guest}: {without}");
    }
}

#[test]
fn what_a_guest_says_in_init_chooses_no_code_of_the_hosts() {
    let publisher = Publisher::new("acme");
    let bundle = publisher.bundle(wat_guest("poses_as_the_system")).write();
    for compiler in [Some(worker()), None] {
        let mut host = Host::builder().trust(publisher.trust());
        if let Some(compiler) = compiler {
            host = host.compile_with(compiler);
        }
        let error = block_on(host.build().unwrap().load(bundle.path()))
            .err()
            .unwrap();
        assert_eq!(error.code(), "guest.error", "{error}");
        assert!(error.to_string().contains("os error 12"), "{error}");
    }
}

#[test]
fn a_model_that_crashes_while_it_is_loaded_says_how_to_see_what_it_printed() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("panics_in_init"))
        .write();
    let run = |more: &[&str]| {
        let mut command = operator.ampoule(&["verify", "--json", "--no-cache"]);
        command.args(more).arg(bundle.path()).output().unwrap()
    };
    let quiet = run(&[]);
    assert_fails(&quiet, "guest.trap", 6);
    let message = json_of(&quiet)["error"]["message"].to_string();
    assert!(message.contains("-vv"), "{message}");
    assert!(quiet.stderr.is_empty());
    let told = String::from_utf8(run(&["-vv"]).stderr).unwrap();
    assert!(
        told.contains("ampoule::guest") && told.contains("panicked at"),
        "{told}"
    );
}

/// A command that compiles something long, and the process that it has started for it.
fn compiling(operator: &Operator, bundle: &Path) -> (Child, u32) {
    let mut command = operator.ampoule(&["verify", "--json", "--no-cache"]);
    let command = command
        .arg(bundle)
        .env("SECRET_OF_THE_HOST", "x")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let worker = wait_for(|| worker_of(child.id(), "compile-worker"));
    (child, worker)
}

/// Finds a process that `parent` has started, with this among its arguments.
fn worker_of(parent: u32, argument: &str) -> Option<u32> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let found = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let is_it =
            found.trim() == parent.to_string() && command.split('\0').any(|word| word == argument);
        is_it.then_some(id)
    })
}

fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it never happens"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_process_has_limits_no_environment_and_only_its_streams() {
    let operator = Operator::new();
    let bundle = explosive(operator.publisher());
    let (mut command, worker) = compiling(&operator, bundle.path());
    let proc = Path::new("/proc").join(worker.to_string());
    // It limits itself before anything else, one limit after the other; this one is the last.
    let limits = wait_for(|| {
        let limits = fs::read_to_string(proc.join("limits")).unwrap();
        let mut lines = limits.lines();
        let last = lines.find(|line| line.starts_with("Max file size"));
        (!last.unwrap().contains("unlimited")).then_some(limits)
    });
    for (name, value) in [
        ("Max data size", (4_u64 << 30).to_string()),
        ("Max core file size", "0".to_owned()),
        ("Max open files", "64".to_owned()),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(&format!(" {value} ")), "{line}");
    }
    let cpu = limits.lines().find(|line| line.starts_with("Max cpu time"));
    assert!(!cpu.unwrap().contains("unlimited"), "{limits}");
    assert_eq!(fs::read(proc.join("environ")).unwrap(), b"");
    for entry in fs::read_dir(proc.join("fd")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // Files that were open before the tests started are not the host's.
        let inherited = fs::read_link(Path::new("/proc/self/fd").join(&name));
        let is_inherited = inherited.is_ok_and(|file| fs::read_link(entry.path()).unwrap() == file);
        assert!(["0", "1", "2"].contains(&&*name) || is_inherited, "{name}");
    }
    let score = fs::read_to_string(proc.join("oom_score_adj")).unwrap();
    assert_eq!(score.trim(), "1000", "it goes first where memory runs out");
    assert_eq!(fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
    command.kill().unwrap();
    command.wait().unwrap();
}

#[test]
fn the_process_ends_with_the_one_that_started_it() {
    let operator = Operator::new();
    let bundle = explosive(operator.publisher());
    let (mut command, worker) = compiling(&operator, bundle.path());
    command.kill().unwrap();
    command.wait().unwrap();
    wait_for(|| is_gone(worker).then_some(()));
}

#[test]
fn whoever_stops_waiting_for_a_model_stops_the_process() {
    let publisher = Publisher::new("acme");
    let mut limits = Limits::default();
    // By which the process is known among those of the tests beside this one.
    limits.compile.memory = ByteSize::from_mib(3_333);
    let host = Host::builder()
        .trust(publisher.trust())
        .limits(limits)
        .compile_with(worker())
        .build()
        .unwrap();
    let bundle = explosive(&publisher);
    let path = bundle.path().to_owned();
    let worker = block_on(async {
        let mut load = Box::pin(host.load(path));
        loop {
            tokio::select! {
                _ = &mut load => panic!("it is over before anybody has looked"),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if let Some(worker) = worker_of(std::process::id(), "3333MiB") {
                return worker;
            }
        }
    });
    wait_for(|| is_gone(worker).then_some(()));
}

/// Tells whether a process has ended; a zombie has.
fn is_gone(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !status.contains("State:") || status.contains("State:\tZ")
}

#[test]
fn a_program_that_is_no_worker_is_an_error_and_no_more() {
    let publisher = Publisher::new("acme");
    let bundle = publisher.every_task().write();
    // It answers with more than a pipe holds, and none of it is an answer; and it does not go by itself.
    let babble = &["-c", "head -c 3000000 /dev/zero; sleep 100"][..];
    let began = Instant::now();
    for (program, arguments, code) in [
        ("/bin/false", &["x"][..], "compile.failed"),
        ("/bin/true", &["x"], "compile.failed"),
        ("/bin/sh", babble, "compile.failed"),
        ("/nowhere", &["x"], "io.system"),
    ] {
        let host = Host::builder()
            .trust(publisher.trust())
            .compile_with(CompileProcess::new(program, arguments))
            .build()
            .unwrap();
        let error = block_on(host.load(bundle.path())).err().unwrap();
        assert_eq!(error.code(), code, "{program}: {error}");
    }
    // Nobody has waited for it to go.
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// A higher limit would let the compiler ask for more of the memory that the system has run out of.
#[test]
fn a_process_that_the_system_kills_is_no_reason_to_raise_a_limit() {
    let publisher = Publisher::new("acme");
    let bundle = publisher.every_task().write();
    for (signal, limit) in [
        ("KILL", None),
        ("XFSZ", Some(Limit::CompileMemory)),
        ("XCPU", Some(Limit::CompileTime)),
    ] {
        let kill = format!("kill -{signal} $$");
        let host = Host::builder()
            .trust(publisher.trust())
            .compile_with(CompileProcess::new("/bin/sh", ["-c", &kill]))
            .build()
            .unwrap();
        let error = block_on(host.load(bundle.path())).err().unwrap();
        assert_eq!(error.code(), "compile.limit", "{error}");
        let found = match error.remedy() {
            Some(Remedy::Limit { limit, .. }) => Some(limit),
            _ => None,
        };
        assert_eq!(found, limit, "{error}");
        let message = error.to_string();
        assert_eq!(
            message.contains("raise the limit"),
            limit.is_some(),
            "{message}"
        );
        assert_eq!(
            message.contains("container more memory"),
            limit.is_none(),
            "{message}"
        );
    }
}

#[test]
fn the_worker_is_started_by_a_host_and_by_nobody_else() {
    for arguments in [&["compile-worker"][..], &["compile-worker", "x", "y"]] {
        let mut command: Command = ampoule();
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
}
