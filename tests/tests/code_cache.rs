//! The cache of compiled models: it saves time, and nothing that somebody put into it is run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::Duration;

use ampoule::{ByteSize, CodeCache, CodeOrigin, Host, Limits, Model};
use ampoule_tests::{
    BundleBuilder, CacheDirectory, EntryParts, Publisher, WrittenBundle, block_on, set_last_use,
    set_mode, test_guest,
};
use serde_json::json;

/// The file that the model's `init` reads, and the sum that it answers with.
const DATA: [u8; 3] = [1, 20, 100];
const SUM: f32 = 121.0;

fn acme() -> Publisher {
    Publisher::new("acme")
}

/// A model whose answers tell whether its `init` ran, and on which data.
fn prepared(publisher: &Publisher) -> BundleBuilder<'_> {
    publisher
        .bundle(test_guest("prepares"))
        .file("data.bin", DATA.to_vec())
}

/// A host that was just started, as by another run of the program.
fn host(publisher: &Publisher, cache: &Path) -> Host {
    host_with(publisher, CodeCache::in_directory(cache))
}

fn host_with(publisher: &Publisher, cache: CodeCache) -> Host {
    Host::builder()
        .trust(publisher.trust())
        .code_cache(cache)
        .build()
        .unwrap()
}

fn load(host: &Host, bundle: &WrittenBundle) -> Model {
    block_on(host.load(bundle.path())).unwrap()
}

/// Returns the source of a model's code, in a host of its own that has answered rightly.
#[track_caller]
fn origin(publisher: &Publisher, cache: &Path, bundle: &WrittenBundle) -> CodeOrigin {
    let model = load(&host(publisher, cache), bundle);
    assert_answers(&model);
    model.code_origin()
}

#[track_caller]
fn assert_answers(model: &Model) {
    let answer = block_on(model.embed_text(&["x"])).unwrap();
    assert_eq!(answer.output.values[..3], [1.0, 1.0, SUM]);
}

#[test]
fn the_second_load_takes_what_the_first_has_kept_and_answers_the_same() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    let first = load(&host(&acme, cache.path()), &bundle);
    assert_eq!(first.code_origin(), CodeOrigin::Compiled);
    let second = load(&host(&acme, cache.path()), &bundle);
    assert_eq!(second.code_origin(), CodeOrigin::Cached);
    assert_eq!(second.sandbox_start(), first.sandbox_start());
    assert_eq!(second.init_report(), first.init_report());
    let ask = |model: &Model| block_on(model.embed_text(&["x"])).unwrap().output.values;
    let (before, after) = (ask(&first), ask(&second));
    // What `init` drew included; the last value is fresh in each request.
    assert_eq!(before[..4], after[..4]);
    assert_eq!(cache.entries().len(), 1);
}

#[test]
fn a_model_that_is_loaded_twice_is_compiled_once() {
    let acme = acme();
    let bundle = prepared(&acme).write();
    let host = Host::builder().trust(acme.trust()).build().unwrap();
    let first = load(&host, &bundle);
    let second = load(&host, &bundle);
    assert_eq!(first.code_origin(), CodeOrigin::Compiled);
    assert_eq!(second.code_origin(), CodeOrigin::Shared);
    drop(first);
    assert_answers(&second);
    drop(second);
    // A dropped model leaves nothing in memory.
    assert_eq!(load(&host, &bundle).code_origin(), CodeOrigin::Compiled);
}

#[test]
fn concurrent_loads_of_one_model_compile_it_once() {
    const LOADS: usize = 4;
    let acme = acme();
    let bundle = prepared(&acme).write();
    let together = |cache: &CacheDirectory, host: &(dyn Fn() -> Host + Sync)| {
        let barrier = Barrier::new(LOADS);
        // All models live until the last has loaded.
        let models: Vec<Model> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..LOADS)
                .map(|_| {
                    scope.spawn(|| {
                        let host = host();
                        barrier.wait();
                        load(&host, &bundle)
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        models.iter().for_each(assert_answers);
        assert_eq!(cache.entries().len(), 1);
        let mut origins: Vec<_> = models.iter().map(|model| model.code_origin()).collect();
        origins.sort_by_key(|origin| *origin != CodeOrigin::Compiled);
        origins
    };

    let cache = CacheDirectory::new();
    let one = host(&acme, cache.path());
    let origins = together(&cache, &|| one.clone());
    assert_eq!(origins[0], CodeOrigin::Compiled);
    assert_eq!(origins[1..], [CodeOrigin::Shared; LOADS - 1]);

    // Hosts that know nothing of each other, as in several processes.
    let cache = CacheDirectory::new();
    let origins = together(&cache, &|| host(&acme, cache.path()));
    assert_eq!(origins[0], CodeOrigin::Compiled);
    assert_eq!(origins[1..], [CodeOrigin::Cached; LOADS - 1]);
}

#[test]
fn whatever_the_code_depends_on_makes_another_entry() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let load = |limits: Limits, bundle: BundleBuilder<'_>| {
        let host = Host::builder()
            .trust(acme.trust())
            .limits(limits)
            .code_cache(CodeCache::in_directory(cache.path()))
            .build()
            .unwrap();
        load(&host, &bundle.write()).code_origin()
    };
    let mut log = Limits::default();
    log.log = ampoule::ByteSize::from_bytes(1_000);
    let mut image = Limits::default();
    image.init.memory = ampoule::ByteSize::from_mib(512);
    let default = Limits::default;
    let cases = [
        (default(), prepared(&acme)),
        (default(), acme.every_task()),
        (
            default(),
            acme.bundle(test_guest("prepares"))
                .file("data.bin", vec![1, 20, 101]),
        ),
        (
            default(),
            acme.bundle(test_guest("prepares"))
                .file("other.bin", DATA.to_vec()),
        ),
        (
            default(),
            prepared(&acme).set("/limits/init/memory_bytes", json!(63 << 20)),
        ),
        (
            default(),
            prepared(&acme).set("/limits/init/fuel", json!(99_000_000_000_u64)),
        ),
        (
            default(),
            prepared(&acme).set("/limits/init/deadline_ms", json!(2_999)),
        ),
        (
            default(),
            prepared(&acme).set("/limits/output_bytes", json!(2 << 20)),
        ),
        (log, prepared(&acme)),
        (image, prepared(&acme)),
    ];
    for (before, (limits, bundle)) in cases.into_iter().enumerate() {
        assert_eq!(load(limits, bundle), CodeOrigin::Compiled, "case {before}");
        assert_eq!(cache.entries().len(), before + 1);
    }
    // What a publisher calls it changes nothing, nor what a request of it may cost.
    let renamed = prepared(&acme)
        .named("another")
        .set("/limits/fuel", json!(1_000_000_u64));
    assert_eq!(load(default(), renamed), CodeOrigin::Cached);
}

#[test]
fn a_load_from_the_cache_needs_the_component_and_not_the_weights() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    assert_eq!(origin(&acme, cache.path(), &bundle), CodeOrigin::Compiled);
    let elsewhere = CacheDirectory::new();
    let refusal = |cache: &CacheDirectory| {
        let loaded = block_on(host(&acme, cache.path()).load(bundle.path()));
        loaded.map(|_| ()).unwrap_err().code().to_owned()
    };
    let weights = bundle.path().join("data.bin");
    fs::write(&weights, [9, 9, 9]).unwrap();
    assert_eq!(origin(&acme, cache.path(), &bundle), CodeOrigin::Cached);
    assert_eq!(refusal(&elsewhere), "file.digest");
    fs::remove_file(&weights).unwrap();
    assert_eq!(origin(&acme, cache.path(), &bundle), CodeOrigin::Cached);
    assert_eq!(refusal(&elsewhere), "file.missing");

    let component = bundle.path().join("component.wasm");
    let mut bytes = fs::read(&component).unwrap();
    bytes[100] ^= 1;
    fs::write(&component, bytes).unwrap();
    assert_eq!(refusal(&cache), "file.digest");
}

#[test]
fn a_model_that_is_not_trusted_is_refused_also_where_its_code_is_kept() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    origin(&acme, cache.path(), &bundle);
    // The component and its files are the same, and another key has signed them.
    let stranger = Publisher::new("acme");
    for (trusting, bundle) in [(&stranger, &bundle), (&acme, &prepared(&stranger).write())] {
        let loaded = block_on(host(trusting, cache.path()).load(bundle.path()));
        assert_eq!(loaded.map(drop).unwrap_err().code(), "trust.unknown-key");
    }
    let greedy = prepared(&acme).set("/limits/memory_bytes", json!(1_u64 << 40));
    let loaded = block_on(host(&acme, cache.path()).load(greedy.write().path()));
    assert_eq!(loaded.map(drop).unwrap_err().code(), "admission.limit");
}

#[test]
fn code_that_somebody_changed_is_not_run_but_made_again() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    origin(&acme, cache.path(), &bundle);
    let entry = cache.entry();
    let good = fs::read(&entry).unwrap();
    let EntryParts { mac, code } = EntryParts::of(&good);
    let length = good.len();

    let mut damaged: Vec<(String, Vec<u8>)> = Vec::new();
    let quarter = (length - code) / 4;
    let places = [0, 7, 8, 11, 12, mac / 2, mac - 1, mac, code - 1, code];
    let places = places.into_iter().chain([
        code + 64,
        code + quarter,
        code + 2 * quarter,
        code + 3 * quarter,
        length - 1,
    ]);
    for place in places {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        damaged.push((format!("byte {place} of {length} flipped"), bytes));
    }
    for end in [0, 4, 12, mac, code, code + 1, length - 1] {
        damaged.push((format!("cut to {end}"), good[..end].to_vec()));
    }
    damaged.push(("a byte more".to_owned(), [&good[..], b"x"].concat()));
    damaged.push(("twice".to_owned(), [&good[..], &good[..]].concat()));
    // The length of the header is a stranger's number.
    let mut giant = good.clone();
    giant[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    damaged.push(("a giant header".to_owned(), giant));

    for (what, bytes) in damaged {
        fs::write(&entry, bytes).unwrap();
        assert_eq!(
            origin(&acme, cache.path(), &bundle),
            CodeOrigin::Compiled,
            "{what}"
        );
        assert_eq!(
            origin(&acme, cache.path(), &bundle),
            CodeOrigin::Cached,
            "{what}"
        );
    }
}

#[test]
fn an_entry_of_another_model_or_another_cache_is_not_run() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    origin(&acme, cache.path(), &bundle);
    let entry = cache.entry();
    let rebuilt = |what: &str| {
        let origins = [(); 2].map(|()| origin(&acme, cache.path(), &bundle));
        let expected = [CodeOrigin::Compiled, CodeOrigin::Cached];
        assert_eq!(origins, expected, "{what}");
    };

    let other = acme
        .bundle(test_guest("prepares"))
        .file("data.bin", vec![7])
        .write();
    load(&host(&acme, cache.path()), &other);
    let others = cache.entries().into_iter().find(|path| *path != entry);
    fs::copy(others.unwrap(), &entry).unwrap();
    rebuilt("another model's");

    let elsewhere = CacheDirectory::new();
    origin(&acme, elsewhere.path(), &bundle);
    assert_eq!(elsewhere.entry().file_name(), entry.file_name());
    fs::copy(elsewhere.entry(), &entry).unwrap();
    rebuilt("made with another key");

    // Even where it leads to a good one.
    let kept = elsewhere.path().join("kept");
    fs::rename(&entry, &kept).unwrap();
    symlink(&kept, &entry).unwrap();
    rebuilt("a link");
    assert!(!fs::symlink_metadata(&entry).unwrap().is_symlink());

    set_mode(&entry, 0o644);
    rebuilt("readable by others");
}

#[test]
fn a_cache_whose_key_is_not_this_users_alone_is_not_used() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    origin(&acme, cache.path(), &bundle);
    let key = cache.path().join("key");
    let entry = fs::read(cache.entry()).unwrap();
    let unused = |what: &str| {
        for _ in 0..2 {
            let origin = origin(&acme, cache.path(), &bundle);
            assert_eq!(origin, CodeOrigin::Compiled, "{what}");
        }
        assert_eq!(fs::read(cache.entry()).unwrap(), entry, "{what}");
    };
    for mode in [0o644, 0o620, 0o604] {
        set_mode(&key, mode);
        unused("others may use the key");
    }
    set_mode(&key, 0o600);
    for mode in [0o777, 0o770, 0o1777] {
        set_mode(cache.path(), mode);
        unused("others may change the directory");
    }
    set_mode(cache.path(), 0o700);
    let kept = tempfile::tempdir().unwrap();
    let kept = kept.path().join("key");
    fs::rename(&key, &kept).unwrap();
    symlink(&kept, &key).unwrap();
    unused("a link");
    fs::remove_file(&key).unwrap();
    fs::copy(&kept, &key).unwrap();
    assert_eq!(origin(&acme, cache.path(), &bundle), CodeOrigin::Cached);
}

#[test]
fn a_key_that_is_none_is_replaced_with_all_that_was_made_with_it() {
    let (acme, cache) = (acme(), CacheDirectory::new());
    let bundle = prepared(&acme).write();
    origin(&acme, cache.path(), &bundle);
    let key = cache.path().join("key");
    let good = fs::read(&key).unwrap();
    assert_eq!(good.len(), 64);
    for bad in [&good[..63], &[], &[&good[..], b"x"].concat()] {
        fs::write(&key, bad).unwrap();
        let origins = [(); 2].map(|()| origin(&acme, cache.path(), &bundle));
        assert_eq!(origins, [CodeOrigin::Compiled, CodeOrigin::Cached]);
        let made = fs::read(&key).unwrap();
        assert!(made.len() == 64 && made != good);
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_and_nothing_else() {
    let acme = acme();
    let bundle = prepared(&acme).write();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    // Nobody makes files in /proc, root neither.
    for cache in [
        file.as_path(),
        &file.join("cache"),
        "/proc/self/task".as_ref(),
    ] {
        for _ in 0..2 {
            assert_eq!(origin(&acme, cache, &bundle), CodeOrigin::Compiled);
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"text");

    // What is in one that became read-only is still good.
    let cache = CacheDirectory::new();
    origin(&acme, cache.path(), &bundle);
    set_mode(cache.path(), 0o500);
    assert_eq!(origin(&acme, cache.path(), &bundle), CodeOrigin::Cached);
    let other = prepared(&acme).set("/limits/output_bytes", json!(2 << 20));
    let other = other.write();
    assert_eq!(origin(&acme, cache.path(), &other), CodeOrigin::Compiled);
    set_mode(cache.path(), 0o700);
}

/// A cache with entries of so many models, each last used an hour after the one before, the last an hour ago.
struct Filled {
    acme: Publisher,
    cache: CacheDirectory,
    bundles: Vec<WrittenBundle>,
    entries: Vec<PathBuf>,
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Filled {
    fn with(models: u8) -> Self {
        let (acme, cache) = (acme(), CacheDirectory::new());
        let mut filled = Self {
            bundles: (0..models).map(|number| variant(&acme, number)).collect(),
            acme,
            cache,
            entries: Vec::new(),
        };
        for bundle in &filled.bundles {
            load(&host(&filled.acme, filled.cache.path()), bundle);
            let mut entries = filled.cache.entries().into_iter();
            let new = entries.find(|entry| !filled.entries.contains(entry));
            filled.entries.push(new.unwrap());
        }
        for (entry, age) in filled.entries.iter().rev().zip(1..) {
            set_last_use(entry, age * HOUR);
        }
        filled
    }

    /// Loads a model that is not in the cache, with these bounds.
    fn add(&self, bounds: impl FnOnce(CodeCache) -> CodeCache) -> Model {
        let cache = bounds(CodeCache::in_directory(self.cache.path()));
        let host = host_with(&self.acme, cache);
        let model = load(&host, &prepared(&self.acme).write());
        assert_eq!(model.code_origin(), CodeOrigin::Compiled);
        assert_answers(&model);
        model
    }

    /// Which of the entries are left, and how many others there are.
    fn left(&self) -> (Vec<usize>, usize) {
        let is_left = |number: &usize| self.entries[*number].exists();
        let left: Vec<_> = (0..self.entries.len()).filter(is_left).collect();
        let others = self.cache.entries().len() - left.len();
        (left, others)
    }

    /// The size of so many entries, all of which take about as much.
    fn size_of(&self, entries: f64) -> ByteSize {
        let size = fs::metadata(&self.entries[0]).unwrap().len();
        ByteSize::from_bytes((size as f64 * entries) as u64)
    }
}

/// One of several models whose code takes as much, each with an entry of its own.
fn variant(publisher: &Publisher, number: u8) -> WrittenBundle {
    let bundle = publisher.bundle(test_guest("prepares"));
    bundle.file("data.bin", vec![number, 1, 1]).write()
}

#[test]
fn the_least_recently_used_entries_go_when_one_is_added_over_the_bound() {
    let filled = Filled::with(4);
    // By a load from the oldest entry it becomes the newest.
    let model = load(&host(&filled.acme, filled.cache.path()), &filled.bundles[0]);
    assert_eq!(model.code_origin(), CodeOrigin::Cached);
    let bound = filled.size_of(3.5);
    filled.add(|cache| cache.with_max_size(bound));
    assert_eq!(filled.left(), (vec![0, 3], 1));
    // The entry that was just added stays, though it leaves room for no other.
    fs::remove_file(
        filled
            .cache
            .entries()
            .into_iter()
            .find(is_not(&filled))
            .unwrap(),
    )
    .unwrap();
    let bound = filled.size_of(1.2);
    filled.add(|cache| cache.with_max_size(bound));
    assert_eq!(filled.left(), (vec![], 1));
}

fn is_not(filled: &Filled) -> impl FnMut(&PathBuf) -> bool + '_ {
    |entry| !filled.entries.contains(entry)
}

#[test]
fn an_entry_that_nobody_used_for_long_goes_when_another_is_added() {
    let filled = Filled::with(3);
    set_last_use(&filled.entries[0], 91 * DAY);
    set_last_use(&filled.entries[1], 89 * DAY);
    filled.add(|cache| cache);
    assert_eq!(filled.left(), (vec![1, 2], 1));

    let filled = Filled::with(3);
    filled.add(|cache| cache.with_max_age(2 * HOUR + HOUR / 2));
    assert_eq!(filled.left(), (vec![1, 2], 1));
}

#[test]
fn a_model_whose_code_is_over_the_bound_by_itself_answers_and_evicts_nothing() {
    let filled = Filled::with(2);
    let bound = filled.size_of(0.9);
    for _ in 0..2 {
        filled.add(|cache| cache.with_max_size(bound));
        assert_eq!(filled.left(), (vec![0, 1], 0));
    }
}

#[test]
fn locks_and_drafts_of_killed_processes_do_not_pile_up() {
    let filled = Filled::with(2);
    let names = || {
        let files = fs::read_dir(filled.cache.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.ends_with(".code")).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["key"]);

    let put = |name: &str, age: Duration| {
        let path = filled.cache.path().join(name);
        fs::write(&path, "").unwrap();
        set_mode(&path, 0o600);
        set_last_use(&path, age);
        fs::File::open(path).unwrap()
    };
    let [old, new] = [
        "0f4e9d5c-51c2-4d7b-9a52-7b1a4a3f2c10",
        "9a0e3b71-0c55-4f0e-8f43-5d1c0a9e7b22",
    ];
    put("left.lock", DAY);
    put(old, 2 * DAY);
    put(new, HOUR);
    put("note", 1_000 * DAY);
    let held = put("held.lock", DAY);
    held.lock().unwrap();
    filled.add(|cache| cache);
    assert_eq!(names(), [new, "held.lock", "key", "note"]);
    drop(held);
    fs::remove_file(&filled.entries[0]).unwrap();
    load(&host(&filled.acme, filled.cache.path()), &filled.bundles[0]);
    assert_eq!(names(), [new, "key", "note"]);
}

#[test]
fn hosts_that_evict_each_others_entries_answer_all_the_same() {
    const LOADS: usize = 4;
    let filled = Filled::with(2);
    // Room for one entry: each that is added evicts the other, which somebody may be reading.
    let bound = filled.size_of(1.5);
    let barrier = Barrier::new(filled.bundles.len());
    std::thread::scope(|scope| {
        for (number, bundle) in filled.bundles.iter().enumerate() {
            let (filled, barrier) = (&filled, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..LOADS {
                    let cache = CodeCache::in_directory(filled.cache.path()).with_max_size(bound);
                    let model = load(&host_with(&filled.acme, cache.clone()), bundle);
                    let answer = block_on(model.embed_text(&["x"])).unwrap();
                    assert_eq!(answer.output.values[2], number as f32 + 2.0);
                    cache.with_max_age(Duration::ZERO).prune().unwrap();
                }
            });
        }
    });
}
