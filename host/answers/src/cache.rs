//! The cache: shelves of entries, one of each tenant, within one bound.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use ampoule_signing::Location;
use zeroize::Zeroizing;

use crate::bounds::Bounds;
use crate::directory::{EntryDirectory, EntryPlace, FoundEntry};
use crate::entry::{self, Header, MAX_ANSWER_BYTES};
use crate::error::Result;
use crate::question::{Manifest, Question, QuestionBuilder};
use crate::shelf::{Held, Shelf, Slot, counted};
use crate::sweeper;
use crate::tenant_key::{MasterKey, TenantId, TenantKey};
use crate::warnings::Warnings;

/// Tenants that have a shelf at one time. Names of tenants may come from tokens that others issue.
const MAX_TENANTS: usize = 65_536;

/// Entries that are evicted from the largest shelf before the largest is looked for again.
const EVICTED_AT_ONCE: usize = 64;

/// Times that room is made for one entry. Others may take the room each time.
const MAX_TRIES: usize = 1_024;

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

/// State of a cache.
struct Inner {
    bounds: Bounds,
    /// `None`: each tenant has a key for its session.
    master: Option<MasterKey>,
    /// `None`: entries are in memory.
    files: Option<EntryDirectory>,
    table: RwLock<Table>,
    /// Bytes of all entries, and of those that are being added.
    bytes: AtomicU64,
    kept: AtomicU64,
    evicted: AtomicU64,
    unreadable: AtomicU64,
    warnings: Warnings,
    clock: Clock,
    /// Ends the thread that sweeps when it is dropped.
    _end: Sender<()>,
}

/// Shelves by the ids and the names of their tenants. A shelf of an earlier process has no name until its tenant asks.
#[derive(Default)]
struct Table {
    shelves: HashMap<TenantId, Arc<Shelf>>,
    tenants: HashMap<Arc<str>, Arc<Shelf>>,
}

/// The system's clock, which tests can put forward.
#[derive(Default)]
struct Clock {
    #[cfg(test)]
    skipped: AtomicU64,
}

impl Clock {
    /// Returns the milliseconds since 1970.
    fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        #[cfg(test)]
        let now = now + self.skipped.load(Ordering::Relaxed);
        now
    }
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

    /// Returns the cache as this tenant has it. `None` where there are too many tenants, or no random numbers for a key.
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
        if let Some(shelf) = table.shelves.remove(&id) {
            // Under the lock of all, so that none of its files is one that the tenant's next shelf has written.
            inner.close(&shelf);
        }
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

    /// Forgets all tenants.
    pub fn forget_all(&self) {
        let mut table = self.inner.table_mut();
        table.tenants.clear();
        for (_, shelf) in table.shelves.drain() {
            self.inner.close(&shelf);
        }
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

impl Inner {
    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelves(&self) -> Vec<Arc<Shelf>> {
        self.table().shelves.values().cloned().collect()
    }

    fn shelf_of(&self, tenant: &str) -> Option<Arc<Shelf>> {
        if let Some(shelf) = self.table().tenants.get(tenant) {
            return Some(Arc::clone(shelf));
        }
        let key = match &self.master {
            Some(master) => master.of_tenant(tenant),
            None => TenantKey::of_session().ok()?,
        };
        let mut table = self.table_mut();
        if let Some(shelf) = table.tenants.get(tenant) {
            return Some(Arc::clone(shelf));
        }
        if table.tenants.len() >= MAX_TENANTS {
            return None;
        }
        let id = key.id();
        let shelf = table.shelves.entry(id);
        let shelf = Arc::clone(shelf.or_insert_with(|| Arc::new(Shelf::new(id))));
        // It has none, or this one.
        let _ = shelf.key.set(key);
        table.tenants.insert(tenant.into(), Arc::clone(&shelf));
        Some(shelf)
    }

    /// Adds an entry, for which others of the same tenant go, and then those of whoever has the most.
    fn add(&self, shelf: &Shelf, question: &Question, header: Header, sealed: Vec<u8>) -> bool {
        let bytes = sealed.len() as u64;
        let is_within = |shelf: &Shelf| {
            shelf.bytes().saturating_add(counted(bytes)) <= self.bounds.tenant_bytes.bytes()
        };
        {
            let mut held = shelf.held();
            self.remove(shelf, &mut held, &question.digest);
            while !is_within(shelf) {
                if !self.evict(shelf, &mut held) {
                    return false;
                }
            }
        }
        if !self.reserve(counted(bytes)) {
            return false;
        }
        let mut held = shelf.held();
        // Another answer of this tenant may have come meanwhile, maybe to the same request.
        let is_kept = !held.is_closed()
            && is_within(shelf)
            && !held.is_held(&question.digest)
            && self.write(shelf.place(question.digest), &sealed);
        if !is_kept {
            self.release(counted(bytes));
            return false;
        }
        let sealed = self.files.is_none().then(|| sealed.into());
        shelf.add(&mut held, question.digest, Slot::new(header, bytes, sealed));
        self.kept.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Writes an entry where entries are files.
    fn write(&self, place: EntryPlace, sealed: &[u8]) -> bool {
        let Some(files) = &self.files else {
            return true;
        };
        let written = files.write(place, sealed);
        if let Err(error) = &written {
            self.warnings
                .warn(&format!("it cannot be written: {}", error.kind()));
        }
        written.is_ok()
    }

    /// Takes over an entry of an earlier process.
    fn take_over(&self, found: &FoundEntry) {
        let bytes = counted(found.bytes);
        let has_room = self.is_fresh(found.header)
            && bytes <= self.bounds.tenant_bytes.bytes()
            && self.reserve(bytes);
        if !has_room {
            if let Some(files) = &self.files {
                files.remove(found.place);
            }
            return;
        }
        let id = found.place.tenant;
        let mut table = self.table_mut();
        let shelf = table.shelves.entry(id);
        let shelf = Arc::clone(shelf.or_insert_with(|| Arc::new(Shelf::new(id))));
        drop(table);
        let mut held = shelf.held();
        shelf.add(
            &mut held,
            found.place.digest,
            Slot::new(found.header, found.bytes, None),
        );
        while shelf.bytes() > self.bounds.tenant_bytes.bytes() {
            self.evict(&shelf, &mut held);
        }
    }

    /// Reserves bytes of the bound on all entries.
    fn reserve(&self, bytes: u64) -> bool {
        let most = self.bounds.bytes.bytes();
        for _ in 0..MAX_TRIES {
            let add = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= most);
            let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
            if self.bytes.fetch_update(set, fetch, add).is_ok() {
                return true;
            }
            if !self.make_room(bytes) {
                break;
            }
        }
        false
    }

    /// Evicts from the tenant that has the most, so that none loses an entry while another has more. Tells whether
    /// anything is free now.
    fn make_room(&self, bytes: u64) -> bool {
        let shelves = self.shelves();
        let Some(largest) = shelves.iter().max_by_key(|shelf| shelf.bytes()) else {
            return false;
        };
        let mut held = largest.held();
        let enough = largest.bytes().saturating_sub(bytes);
        let mut has_evicted = false;
        for _ in 0..EVICTED_AT_ONCE {
            if has_evicted && largest.bytes() <= enough {
                break;
            }
            if !self.evict(largest, &mut held) {
                break;
            }
            has_evicted = true;
        }
        has_evicted
    }

    fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn remove(&self, shelf: &Shelf, held: &mut Held, digest: &[u8; 32]) {
        self.release(shelf.remove(held, digest, self.files.as_ref()));
    }

    fn evict(&self, shelf: &Shelf, held: &mut Held) -> bool {
        let Some(bytes) = shelf.evict(held, self.files.as_ref()) else {
            return false;
        };
        self.release(bytes);
        self.evicted.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn remove_all(&self, shelf: &Shelf, held: &mut Held, is_meant: impl Fn(&Slot) -> bool) {
        self.release(shelf.remove_all(held, self.files.as_ref(), is_meant));
    }

    fn close(&self, shelf: &Shelf) {
        let mut held = shelf.held();
        held.close();
        self.remove_all(shelf, &mut held, |_| true);
    }

    /// Removes an entry that could not be opened, unless it has gone or was replaced meanwhile.
    fn drop_unreadable(&self, shelf: &Shelf, question: &Question, header: Header, reason: &str) {
        let mut held = shelf.held();
        if held.is_still(&question.digest, header) {
            self.remove(shelf, &mut held, &question.digest);
            drop(held);
            self.unreadable.fetch_add(1, Ordering::Relaxed);
            self.warnings.warn(reason);
        }
    }

    /// Tells whether an entry may answer. One that ends later than any may was written by a clock that went back since.
    fn is_fresh(&self, header: Header) -> bool {
        let left = header.expires.checked_sub(self.clock.now());
        left.is_some_and(|left| (1..=self.bounds.age_ms()).contains(&left))
    }

    /// Removes entries over their age, and the keys of tenants without entries.
    fn sweep(&self) {
        for shelf in self.shelves() {
            let mut held = shelf.held();
            self.remove_all(&shelf, &mut held, |slot| !self.is_fresh(slot.header));
        }
        let mut table = self.table_mut();
        let Table { shelves, tenants } = &mut *table;
        // Nobody takes a shelf meanwhile: that needs the table.
        let is_unused = |shelf: &Arc<Shelf>, places: usize| {
            Arc::strong_count(shelf) == places && shelf.held().len() == 0
        };
        tenants.retain(|_, shelf| !is_unused(shelf, 2));
        shelves.retain(|_, shelf| !is_unused(shelf, 1));
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
