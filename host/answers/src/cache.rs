//! The cache, as a server and as one tenant has it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, RwLock};

use ampoule_signing::Location;
use zeroize::Zeroizing;

use crate::bounds::Bounds;
use crate::directory::EntryDirectory;
use crate::entry::{self, Header, MAX_ANSWER_BYTES};
use crate::error::Result;
use crate::question::{Manifest, Question, QuestionBuilder};
use crate::shelf::Shelf;
use crate::shelves::{Clock, Inner};
use crate::sweeper;
use crate::tenant_key::{MasterKey, TenantKey};
use crate::warnings::Warnings;

/// A cache of answers. Clones are the same cache.
#[derive(Clone)]
pub struct Answers {
    inner: Arc<Inner>,
}

/// The cache as one tenant has it. Clones are the same.
#[derive(Clone)]
pub struct TenantAnswers {
    inner: Arc<Inner>,
    shelf: Arc<Shelf>,
}

/// Numbers of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Tenants that have entries or have asked a short time ago.
    pub tenants: u64,
    /// Entries that are held now.
    pub entries: u64,
    /// Bytes that the entries count.
    pub bytes: u64,
    /// Answers that were kept since the cache was made.
    pub kept: u64,
    /// Entries that had to make room since.
    pub evicted: u64,
    /// Entries that could not be opened since, because their bytes were changed.
    pub unreadable: u64,
}

impl Answers {
    /// Makes a cache in memory. Each tenant has a key for its session: until it is forgotten, or has no entry any more.
    ///
    /// # Errors
    ///
    /// `usage.answer-cache`, and `io.failed` where the system gives no thread.
    pub fn in_memory(bounds: Bounds) -> Result<Self> {
        Self::new(bounds, None, None)
    }

    /// Makes a cache in a directory, for its owner alone; it is made if need be. With a key, the entries of an earlier
    /// process are there again. Without one, each tenant has a key for its session as in memory, and those entries, which
    /// nobody can read any more, are removed.
    ///
    /// # Errors
    ///
    /// As [`Answers::in_memory`]; `trust.owner` and `trust.permissions` where others may change the directory,
    /// `io.locked` where another process uses it, `io.failed`.
    pub fn in_directory<'p>(
        bounds: Bounds,
        directory: impl Into<Location<'p>>,
        key: Option<MasterKey>,
    ) -> Result<Self> {
        bounds.check()?;
        let directory = EntryDirectory::open(directory.into())?;
        let found = match &key {
            Some(_) => directory.entries()?,
            None => {
                directory.empty()?;
                Vec::new()
            }
        };
        let answers = Self::new(bounds, key, Some(directory))?;
        for found in found {
            answers.inner.take_over(&found);
        }
        Ok(answers)
    }

    fn new(
        bounds: Bounds,
        master: Option<MasterKey>,
        files: Option<EntryDirectory>,
    ) -> Result<Self> {
        bounds.check()?;
        let (end, ended) = channel();
        let inner = Arc::new(Inner {
            bounds,
            master,
            files,
            table: RwLock::default(),
            models: RwLock::default(),
            bytes: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            warnings: Warnings::default(),
            clock: Clock::default(),
            _end: end,
        });
        let swept = Arc::downgrade(&inner);
        sweeper::begin(ended, move || {
            let cache = swept.upgrade();
            cache.map(|cache| cache.sweep()).is_some()
        })?;
        Ok(Self { inner })
    }

    /// Returns the cache as this tenant has it. `None` where there are too many tenants, no random numbers for a key, or the
    /// tenant's entries are being forgotten.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Option<TenantAnswers> {
        let shelf = self.inner.shelf_of(tenant)?;
        Some(TenantAnswers {
            inner: Arc::clone(&self.inner),
            shelf,
        })
    }

    /// Forgets a tenant: its key and its entries. Answers to requests that it has asked before are not kept any more.
    pub fn forget_tenant(&self, tenant: &str) {
        let inner = &self.inner;
        let mut table = inner.table_mut();
        let named = table.tenants.remove(tenant).map(|shelf| shelf.id);
        let derived = || Some(inner.master.as_ref()?.of_tenant(tenant).id());
        let Some(id) = named.or_else(derived) else {
            return;
        };
        let shelf = table.detach(id);
        drop(table);
        inner.close_detached(shelf.as_slice());
    }

    /// Forgets the answers of a model, by its manifest.
    pub fn forget_model(&self, manifest: &Manifest) {
        for shelf in self.inner.shelves() {
            let mut held = shelf.held();
            if held.has_entries_of(manifest) {
                self.inner
                    .remove_all(&shelf, &mut held, |slot| slot.header.manifest == *manifest);
            }
        }
    }

    /// Forgets the answers of all models but these, as far as this process has kept any. A model of which an earlier process
    /// has kept answers may not be loaded yet.
    pub fn forget_models_but(&self, serving: &BTreeSet<Manifest>) {
        let gone: Vec<Manifest> = {
            let mut models = self.inner.models_mut();
            models
                .extract_if(.., |manifest| !serving.contains(manifest))
                .collect()
        };
        for manifest in &gone {
            self.forget_model(manifest);
        }
    }

    /// Forgets all tenants.
    pub fn forget_all(&self) {
        let mut table = self.inner.table_mut();
        table.tenants.clear();
        let ids: Vec<_> = table.shelves.keys().copied().collect();
        let shelves: Vec<_> = ids.into_iter().filter_map(|id| table.detach(id)).collect();
        drop(table);
        self.inner.close_detached(&shelves);
    }

    /// Tells whether a look-up may wait for a disk.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.inner.files.is_some()
    }

    /// Returns its numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let inner = &self.inner;
        let shelves = inner.shelves();
        let entries = shelves.iter().map(|shelf| shelf.held().len() as u64);
        Counts {
            tenants: shelves.len() as u64,
            entries: entries.sum(),
            bytes: inner.bytes.load(Ordering::Relaxed),
            kept: inner.kept.load(Ordering::Relaxed),
            evicted: inner.evicted.load(Ordering::Relaxed),
            unreadable: inner.unreadable.load(Ordering::Relaxed),
        }
    }
}

impl TenantAnswers {
    /// Begins the hash of a request to the model with this manifest. Everything else that determines the answer is to be
    /// added to it.
    #[must_use]
    pub fn question(&self, manifest: Manifest) -> QuestionBuilder {
        // A shelf that a tenant was given has its key.
        let key = self.shelf.key.get();
        let code = key.map_or_else(|| crate::hash::begin(&[0; 32]), TenantKey::begin_question);
        QuestionBuilder::new(code, manifest)
    }

    /// Returns the answer to a request, if it is kept.
    #[must_use]
    pub fn find(&self, question: &Question) -> Option<Zeroizing<Vec<u8>>> {
        let (inner, shelf) = (&*self.inner, &*self.shelf);
        let key = shelf.key.get()?;
        let slot = {
            let mut held = shelf.held();
            let slot = held.use_slot(&question.digest)?;
            if !inner.is_fresh(slot.header) {
                inner.remove(shelf, &mut held, &question.digest);
                return None;
            }
            slot
        };
        let sealed = match (slot.sealed, &inner.files) {
            (Some(sealed), _) => Ok(sealed),
            (None, Some(files)) => files.read(shelf.place(question.digest)).map(Arc::from),
            (None, None) => Err("it is nowhere".to_owned()),
        };
        let opened = sealed.and_then(|sealed| {
            entry::open(key, question, slot.header, &sealed)
                .ok_or_else(|| "its bytes were changed".to_owned())
        });
        match opened {
            Ok(answer) => Some(answer),
            Err(reason) => {
                inner.drop_unreadable(shelf, question, slot.header, &reason);
                None
            }
        }
    }

    /// Keeps the answer to a request. Returns false where it is not kept: it is larger than [`MAX_ANSWER_BYTES`], the tenant
    /// was forgotten, or there is no room.
    pub fn keep(&self, question: &Question, answer: &[u8]) -> bool {
        let (inner, shelf) = (&*self.inner, &*self.shelf);
        let Some(key) = shelf.key.get().filter(|_| answer.len() <= MAX_ANSWER_BYTES) else {
            return false;
        };
        let header = Header {
            expires: inner.clock.now().saturating_add(inner.bounds.age_ms()),
            manifest: question.manifest,
        };
        match entry::seal(key, question, header, answer) {
            Ok(sealed) => inner.add(shelf, question, header, sealed),
            Err(error) => {
                inner.warnings.warn(&error.to_string());
                false
            }
        }
    }

    /// Tells whether a look-up may wait for a disk.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.inner.files.is_some()
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        f.debug_struct("Answers")
            .field("bounds", &self.inner.bounds)
            .field("counts", &counts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TenantAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantAnswers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ampoule_units::ByteSize;

    use super::*;

    const MODEL: Manifest = [7; 32];

    fn cache(bounds: Bounds) -> Answers {
        Answers::in_memory(bounds).unwrap()
    }

    fn skip(answers: &Answers, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        answers.inner.clock.skipped.fetch_add(ms, Ordering::Relaxed);
    }

    #[test]
    fn an_entry_over_its_age_answers_nothing_and_the_next_sweep_removes_it_and_its_tenants_key() {
        let bounds = Bounds {
            age: Duration::from_secs(60),
            ..Bounds::default()
        };
        let answers = cache(bounds);
        let acme = answers.of_tenant("acme").unwrap();
        let (one, other) = (
            acme.question(MODEL).finish(),
            acme.question([8; 32]).finish(),
        );
        assert!(acme.keep(&one, b"1") && acme.keep(&other, b"2"));
        skip(&answers, Duration::from_secs(59));
        assert!(acme.find(&one).is_some());
        answers.inner.sweep();
        assert_eq!(answers.counts().entries, 2);
        skip(&answers, Duration::from_secs(1));
        assert!(acme.find(&one).is_none());
        assert_eq!(answers.counts().entries, 1, "the look-up removes it");
        answers.inner.sweep();
        let counts = answers.counts();
        assert_eq!((counts.entries, counts.bytes, counts.tenants), (0, 0, 1));
        drop(acme);
        answers.inner.sweep();
        assert_eq!(answers.counts().tenants, 0);
        let again = answers.of_tenant("acme").unwrap();
        assert_ne!(again.question(MODEL).finish(), one, "the key is another");
    }

    #[test]
    fn an_entry_of_a_clock_that_went_back_answers_nothing() {
        let answers = cache(Bounds::default());
        let acme = answers.of_tenant("acme").unwrap();
        let question = acme.question(MODEL).finish();
        skip(&answers, Duration::from_secs(2));
        assert!(acme.keep(&question, b"1"));
        answers.inner.clock.skipped.store(0, Ordering::Relaxed);
        assert!(acme.find(&question).is_none());
    }

    /// Tells whether `work` ends while the lock of a tenant's entries is held, as it is while its files are removed.
    fn ends_beside_a_busy_tenant(
        answers: &Answers,
        tenant: &str,
        work: impl FnOnce(Answers) + Send + 'static,
    ) -> bool {
        let shelf = answers.of_tenant(tenant).unwrap().shelf;
        let held = shelf.held();
        let (end, ended) = channel();
        let answers = answers.clone();
        let worker = std::thread::spawn(move || {
            work(answers);
            let _ = end.send(());
        });
        let has_ended = ended.recv_timeout(Duration::from_secs(5)).is_ok();
        drop(held);
        worker.join().unwrap();
        has_ended
    }

    #[test]
    fn other_tenants_do_not_wait_while_one_is_forgotten_and_it_has_no_cache_until_then() {
        for forget in [
            (|answers: &Answers| answers.forget_tenant("acme")) as fn(&Answers),
            |answers| answers.forget_all(),
        ] {
            let master = "ab".repeat(32).parse().unwrap();
            let answers = Answers::new(Bounds::default(), Some(master), None).unwrap();
            let has_ended = ends_beside_a_busy_tenant(&answers, "acme", move |answers| {
                let forgetting = answers.clone();
                std::thread::spawn(move || forget(&forgetting));
                while answers.of_tenant("acme").is_some() {
                    std::thread::yield_now();
                }
                assert!(answers.of_tenant("other").is_some());
            });
            assert!(has_ended);
            let begun = std::time::Instant::now();
            while answers.of_tenant("acme").is_none() {
                assert!(begun.elapsed() < Duration::from_secs(5));
            }
        }
    }

    #[test]
    fn a_sweep_does_not_wait_for_a_busy_tenant_while_others_wait_for_the_sweep() {
        let answers = cache(Bounds::default());
        drop(answers.of_tenant("unused").unwrap());
        assert!(ends_beside_a_busy_tenant(&answers, "acme", |answers| {
            answers.inner.forget_unused();
        }));
        let counts = answers.counts();
        assert_eq!(counts.tenants, 1, "the busy one stays");
    }

    #[test]
    fn the_sweeping_thread_keeps_no_cache_alive() {
        let answers = cache(Bounds::default());
        let inner = Arc::downgrade(&answers.inner);
        drop(answers);
        assert!(inner.upgrade().is_none());
    }

    #[test]
    fn the_tenant_with_the_most_makes_room_and_one_with_little_loses_nothing() {
        let bounds = Bounds {
            bytes: ByteSize::from_mib(1),
            tenant_bytes: ByteSize::from_mib(1),
            ..Bounds::default()
        };
        let answers = cache(bounds);
        let small = answers.of_tenant("small").unwrap();
        let rare = small.question(MODEL).finish();
        assert!(small.keep(&rare, &[1; 1_000]));
        let large = answers.of_tenant("large").unwrap();
        let question = |index: u32| large.question(MODEL).part(&index.to_be_bytes()).finish();
        for index in 0..2_000 {
            assert!(large.keep(&question(index), &[2; 4_000]));
            assert!(answers.counts().bytes <= bounds.bytes.bytes());
        }
        assert!(small.find(&rare).is_some());
        assert!(large.find(&question(1_999)).is_some());
        assert!(large.find(&question(0)).is_none());
        assert!(answers.counts().evicted > 1_000);
    }
}
