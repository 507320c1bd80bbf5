//! Loads at once: how many run, what waiting costs, and what those are told that wait for one that fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ampoule::{ByteSize, CodeCache, CompileProcess, Host, Limits, LoadOptions, Model, Result};
use ampoule_tests::{
    BundleBuilder, Publisher, WrittenBundle, ampoule, block_on, resident_bytes, wat_guest,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};

/// Memory limit of these processes, and of no others of these tests.
const MEMORY: ByteSize = ByteSize::from_mib(3_334);

/// A program that compiles, counts how often it was started, and waits before it does for as long as it is told to.
struct Compiler {
    dir: TempDir,
}

impl Compiler {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// From now on nothing is compiled.
    fn hold(&self) {
        fs::write(self.file("hold"), "").unwrap();
    }

    fn go_on(&self) {
        fs::remove_file(self.file("hold")).unwrap();
    }

    /// Returns how often the program was started.
    fn started(&self) -> usize {
        fs::read_to_string(self.file("started")).map_or(0, |lines| lines.lines().count())
    }

    fn process(&self) -> CompileProcess {
        let script = format!(
            "echo $$ >> {started}; while [ -e {hold} ]; do /bin/sleep 0.02; done; exec {command} compile-worker \"$@\"",
            started = self.file("started").display(),
            hold = self.file("hold").display(),
            command = Path::new(ampoule().get_program()).display(),
        );
        CompileProcess::new("/bin/sh", ["-c".to_owned(), script, "sh".to_owned()])
    }

    fn host(&self, publisher: &Publisher, loads: usize, waiting_loads: usize) -> Host {
        let mut limits = Limits::default();
        limits.loads = loads;
        limits.waiting_loads = waiting_loads;
        limits.compile.memory = MEMORY;
        Host::builder()
            .trust(publisher.trust())
            .limits(limits)
            .compile_with(self.process())
            .build()
            .unwrap()
    }
}

/// A model that is compiled in no time. Each `number` is another one.
fn small<'p>(publisher: &'p Publisher, number: u64) -> BundleBuilder<'p> {
    publisher
        .bundle(wat_guest("grows_page_by_page"))
        .set("/limits/init/fuel", json!(1_000_000_000 + number))
        .set("/limits/init/deadline_ms", json!(60_000))
}

/// Begins to load it, as one of several tasks on one thread.
fn start(host: &Host, bundle: &WrittenBundle) -> JoinHandle<Result<Model>> {
    let (host, path) = (host.clone(), bundle.path().to_owned());
    tokio::spawn(async move { host.load(path).await })
}

/// Lets other tasks run until something has happened.
async fn until(happened: impl Fn() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it never happens"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Counts the processes that compile with [`MEMORY`], which tells them from those of the tests beside this one.
fn compilers() -> usize {
    let commands = fs::read_dir("/proc").unwrap().flatten();
    let commands = commands.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    let words = format!("compile-worker\0{MEMORY}\0").into_bytes();
    commands
        .filter(|command| command.windows(words.len()).any(|part| part == words))
        .count()
}

#[test]
fn as_many_models_are_loaded_at_once_as_may_be_and_the_others_wait_without_a_thread() {
    const MODELS: u64 = 100;
    const LOADS: usize = 2;
    let publisher = Publisher::new("acme");
    let compiler = Compiler::new();
    let host = compiler.host(&publisher, LOADS, 1_000);
    let bundles: Vec<_> = (0..MODELS)
        .map(|number| small(&publisher, number).write())
        .collect();
    // Each is started and none gets anywhere.
    compiler.hold();
    block_on(async {
        let (before, memory) = (threads(), resident_bytes());
        let mut loads: Vec<_> = bundles.iter().map(|bundle| start(&host, bundle)).collect();
        until(|| compiler.started() == LOADS).await;
        // Long enough for another to be started, were there nothing against it.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(compiler.started(), LOADS);
        // For each that runs: the load's own, and the two that listen to the process.
        let grown = threads().saturating_sub(before);
        assert!(grown <= 3 * LOADS + 8, "{grown} threads for {MODELS} loads");
        let grown = resident_bytes().saturating_sub(memory);
        assert!(grown <= 64 << 20, "{grown} bytes for {MODELS} loads");

        // Most of them give up. The others are loaded, never more at once.
        for load in loads.split_off(6) {
            load.abort();
        }
        compiler.go_on();
        for load in loads {
            until(|| {
                let compiling = compilers();
                assert!(compiling <= LOADS, "{compiling} compile at once");
                load.is_finished()
            })
            .await;
            load.await.unwrap().unwrap();
        }
        assert_eq!(compiler.started(), 6);
    });
}

#[test]
fn all_who_wait_for_a_model_that_fails_are_told_and_it_is_made_once() {
    const LOADS: usize = 200;
    let publisher = Publisher::new("acme");
    // One fails in `init`, one in `describe`, both after they were compiled.
    for (guest, code) in [
        ("poses_as_the_system", "guest.error"),
        ("describes_itself_overlapping", "limit.output"),
    ] {
        let compiler = Compiler::new();
        let host = compiler.host(&publisher, 2, 256);
        let bundle = publisher.bundle(wat_guest(guest)).write();
        let code_of = |loaded: Result<Model>| {
            loaded.map_or_else(|error| error.code().to_owned(), |_| "ok".to_owned())
        };
        compiler.hold();
        block_on(async {
            let mut loads = JoinSet::new();
            for _ in 0..LOADS {
                let (host, path) = (host.clone(), bundle.path().to_owned());
                loads.spawn(async move { host.load(path).await });
            }
            until(|| compiler.started() == 1).await;
            compiler.go_on();
            while let Some(loaded) = loads.join_next().await {
                assert_eq!(code_of(loaded.unwrap()), code, "{guest}");
            }
        });
        assert_eq!(compiler.started(), 1, "{guest}");
        // The failure is not kept: a later load tries again.
        assert_eq!(code_of(block_on(host.load(bundle.path()))), code);
        assert_eq!(compiler.started(), 2, "{guest}");
    }
}

#[test]
fn a_load_that_is_not_waited_for_leaves_the_line_wherever_it_stands() {
    let publisher = Publisher::new("acme");
    let compiler = Compiler::new();
    let [one, two, three] = [1, 2, 3].map(|number| small(&publisher, number).write());
    compiler.hold();
    block_on(async {
        // One runs, one waits, and a third is told so at once.
        let host = compiler.host(&publisher, 1, 1);
        let running = start(&host, &one);
        until(|| compiler.started() == 1).await;
        let waiting = start(&host, &two);
        tokio::task::yield_now().await;
        let busy = host.load(three.path()).await.err().unwrap();
        assert_eq!(busy.code(), "limit.busy");
        assert!(busy.to_string().contains("`waiting_loads`"), "{busy}");
        // A cancelled waiter makes room, and a cancelled load ends with its process.
        waiting.abort();
        until(|| waiting.is_finished()).await;
        let next = start(&host, &three);
        tokio::task::yield_now().await;
        running.abort();
        until(|| compiler.started() == 2).await;
        next.abort();

        // Of two that load one model, the second waits for the first, and holds nothing when it leaves.
        let host = compiler.host(&publisher, 2, 8);
        let first = start(&host, &one);
        until(|| compiler.started() == 3).await;
        let second = start(&host, &one);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(compiler.started(), 3);
        second.abort();
        let other = start(&host, &two);
        until(|| compiler.started() == 4).await;
        // And when the first leaves, another one makes it.
        let third = start(&host, &one);
        first.abort();
        until(|| compiler.started() == 5).await;
        compiler.go_on();
        third.await.unwrap().unwrap();
        other.await.unwrap().unwrap();
    });
}

#[test]
fn a_followed_models_next_release_takes_its_turn_like_any_load() {
    let publisher = Publisher::new("acme");
    let compiler = Compiler::new();
    let host = compiler.host(&publisher, 1, 8);
    let place = tempfile::tempdir().unwrap();
    let link = place.path().join("model");
    let release = |number: u64| {
        small(&publisher, number)
            .set("/release", json!(number))
            .write()
    };
    let (first, second, other) = (release(1), release(2), small(&publisher, 3).write());
    std::os::unix::fs::symlink(first.path(), &link).unwrap();
    block_on(async {
        let live = host.follow(&link, LoadOptions::default()).await.unwrap();
        assert_eq!(compiler.started(), 1);
        compiler.hold();
        let running = start(&host, &other);
        until(|| compiler.started() == 2).await;
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(second.path(), &link).unwrap();
        let following = live.clone();
        let next = tokio::spawn(async move { following.look_again().await.is_ok() });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(compiler.started(), 2, "it has not waited for its turn");
        assert_eq!(live.model().manifest().release(), 1);
        compiler.go_on();
        running.await.unwrap().unwrap();
        assert!(next.await.unwrap());
        assert_eq!(live.model().manifest().release(), 2);
    });
}

#[test]
fn a_host_does_not_wait_for_ever_for_another_that_keeps_an_entry_of_the_cache_locked() {
    let publisher = Publisher::new("acme");
    let compiler = Compiler::new();
    let cache = tempfile::tempdir().unwrap();
    let host = || {
        let mut limits = Limits::default();
        limits.compile.time = Duration::from_secs(2);
        Host::builder()
            .trust(publisher.trust())
            .limits(limits)
            .compile_with(compiler.process())
            .code_cache(CodeCache::in_directory(cache.path().join("cache")))
            .build()
            .unwrap()
    };
    let bundle = small(&publisher, 1)
        .set("/limits/init/deadline_ms", json!(500))
        .write();
    block_on(host().load(bundle.path())).unwrap();
    let files = fs::read_dir(cache.path().join("cache")).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    let entry = files
        .iter()
        .find(|file| file.extension().is_some_and(|kind| kind == "code"));
    let entry = entry.unwrap();
    fs::remove_file(entry).unwrap();
    let lock = fs::File::create(entry.with_extension("lock")).unwrap();
    lock.lock().unwrap();

    // A cancelled waiter is not kept, and neither is its host.
    let began = Instant::now();
    let waiting = host();
    block_on(async {
        let load = waiting.load(bundle.path().to_owned());
        tokio::time::timeout(Duration::from_millis(300), load)
            .await
            .err()
            .unwrap();
    });
    drop(waiting);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(compiler.started(), 1);

    // A patient waiter compiles it as well, once the other process has had its time.
    let began = Instant::now();
    block_on(host().load(bundle.path())).unwrap();
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(2_500), "{waited:?}");
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    assert_eq!(compiler.started(), 2);
}
