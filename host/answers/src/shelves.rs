//! State of a cache: the shelves of all tenants, and the room that they share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use crate::bounds::Bounds;
use crate::directory::{EntryDirectory, EntryPlace, FoundEntry};
use crate::entry::Header;
use crate::question::{Manifest, Question};
use crate::shelf::{Held, Shelf, Slot, counted};
use crate::tenant_key::{MasterKey, TenantId, TenantKey};
use crate::warnings::Warnings;

/// Tenants that have a shelf at one time. Names of tenants may come from tokens that others issue.
const MAX_TENANTS: usize = 65_536;

/// Entries that are evicted from the largest shelf before the largest is looked for again.
const EVICTED_AT_ONCE: usize = 64;

/// Times that room is made for one entry. Others may take the room each time.
const MAX_TRIES: usize = 1_024;

/// State of a cache.
pub(crate) struct Inner {
    pub(crate) bounds: Bounds,
    /// `None`: each tenant has a key for its session.
    pub(crate) master: Option<MasterKey>,
    /// `None`: entries are in memory.
    pub(crate) files: Option<EntryDirectory>,
    pub(crate) table: RwLock<Table>,
    /// Models of which this process has kept answers since they were last forgotten.
    pub(crate) models: RwLock<BTreeSet<Manifest>>,
    /// Bytes of all entries, and of those that are being added.
    pub(crate) bytes: AtomicU64,
    pub(crate) kept: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    pub(crate) warnings: Warnings,
    pub(crate) clock: Clock,
    /// Ends the thread that sweeps when it is dropped.
    pub(crate) _end: Sender<()>,
}

/// Shelves by the ids and the names of their tenants. A shelf of an earlier process has no name until its tenant asks.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) shelves: HashMap<TenantId, Arc<Shelf>>,
    pub(crate) tenants: HashMap<Arc<str>, Arc<Shelf>>,
    /// Tenants whose entries are being removed. None of them gets a shelf meanwhile, whose files would go with the others.
    closing: HashSet<TenantId>,
}

impl Table {
    /// Takes a shelf out, whose tenant gets no other until it is closed.
    pub(crate) fn detach(&mut self, id: TenantId) -> Option<Arc<Shelf>> {
        let shelf = self.shelves.remove(&id)?;
        self.closing.insert(id);
        Some(shelf)
    }
}

/// The system's clock, which tests can put forward.
#[derive(Default)]
pub(crate) struct Clock {
    #[cfg(test)]
    pub(crate) skipped: AtomicU64,
}

impl Clock {
    /// Returns the milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        #[cfg(test)]
        let now = now + self.skipped.load(Ordering::Relaxed);
        now
    }
}

impl Inner {
    pub(crate) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn models_mut(&self) -> RwLockWriteGuard<'_, BTreeSet<Manifest>> {
        self.models.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that answers of a model are kept: after the first is there, so that none is missed.
    pub(crate) fn note_model(&self, manifest: Manifest) {
        let models = self.models.read();
        let is_noted = models
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&manifest);
        if !is_noted {
            self.models_mut().insert(manifest);
        }
    }

    pub(crate) fn shelves(&self) -> Vec<Arc<Shelf>> {
        self.table().shelves.values().cloned().collect()
    }

    pub(crate) fn shelf_of(&self, tenant: &str) -> Option<Arc<Shelf>> {
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
        let id = key.id();
        if table.tenants.len() >= MAX_TENANTS || table.closing.contains(&id) {
            return None;
        }
        let shelf = table.shelves.entry(id);
        let shelf = Arc::clone(shelf.or_insert_with(|| Arc::new(Shelf::new(id))));
        // It has none, or this one.
        let _ = shelf.key.set(key);
        table.tenants.insert(tenant.into(), Arc::clone(&shelf));
        Some(shelf)
    }

    /// Adds an entry, for which others of the same tenant go, and then those of whoever has the most.
    pub(crate) fn add(
        &self,
        shelf: &Shelf,
        question: &Question,
        header: Header,
        sealed: Vec<u8>,
    ) -> bool {
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
        drop(held);
        self.note_model(header.manifest);
        self.kept.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Writes an entry where entries are files.
    pub(crate) fn write(&self, place: EntryPlace, sealed: &[u8]) -> bool {
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
    pub(crate) fn take_over(&self, found: &FoundEntry) {
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
    pub(crate) fn reserve(&self, bytes: u64) -> bool {
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
    pub(crate) fn make_room(&self, bytes: u64) -> bool {
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

    pub(crate) fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, shelf: &Shelf, held: &mut Held, digest: &[u8; 32]) {
        self.release(shelf.remove(held, digest, self.files.as_ref()));
    }

    pub(crate) fn evict(&self, shelf: &Shelf, held: &mut Held) -> bool {
        let Some(bytes) = shelf.evict(held, self.files.as_ref()) else {
            return false;
        };
        self.release(bytes);
        self.evicted.fetch_add(1, Ordering::Relaxed);
        true
    }

    pub(crate) fn remove_all(
        &self,
        shelf: &Shelf,
        held: &mut Held,
        is_meant: impl Fn(&Slot) -> bool,
    ) {
        self.release(shelf.remove_all(held, self.files.as_ref(), is_meant));
    }

    /// Removes all entries of shelves that were taken out of the table, without its lock: they may be many files.
    pub(crate) fn close_detached(&self, shelves: &[Arc<Shelf>]) {
        for shelf in shelves {
            let mut held = shelf.held();
            held.close();
            self.remove_all(shelf, &mut held, |_| true);
            drop(held);
            self.table_mut().closing.remove(&shelf.id);
        }
    }

    /// Removes an entry that could not be opened, unless it has gone or was replaced meanwhile.
    pub(crate) fn drop_unreadable(
        &self,
        shelf: &Shelf,
        question: &Question,
        header: Header,
        reason: &str,
    ) {
        let mut held = shelf.held();
        if held.is_still(&question.digest, header) {
            self.remove(shelf, &mut held, &question.digest);
            drop(held);
            self.unreadable.fetch_add(1, Ordering::Relaxed);
            self.warnings.warn(reason);
        }
    }

    /// Tells whether an entry may answer. One that ends later than any may was written by a clock that went back since.
    pub(crate) fn is_fresh(&self, header: Header) -> bool {
        let left = header.expires.checked_sub(self.clock.now());
        left.is_some_and(|left| (1..=self.bounds.age_ms()).contains(&left))
    }

    /// Removes entries over their age, and the keys of tenants without entries.
    pub(crate) fn sweep(&self) {
        for shelf in self.shelves() {
            let mut held = shelf.held();
            self.remove_all(&shelf, &mut held, |slot| !self.is_fresh(slot.header));
        }
        self.forget_unused();
    }

    /// Removes the keys of tenants without entries. A shelf that is busy is in use.
    pub(crate) fn forget_unused(&self) {
        let mut table = self.table_mut();
        let Table {
            shelves, tenants, ..
        } = &mut *table;
        // Nobody takes a shelf meanwhile: that needs the table.
        let is_unused = |shelf: &Arc<Shelf>, places: usize| {
            Arc::strong_count(shelf) == places && shelf.is_free_and_empty()
        };
        tenants.retain(|_, shelf| !is_unused(shelf, 2));
        shelves.retain(|_, shelf| !is_unused(shelf, 1));
    }
}
