//! The entries of one tenant, in the order of their last use.
//!
//! Nothing in here is shared with other tenants: neither a map nor a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use crate::bounds::ENTRY_OVERHEAD;
use crate::directory::{EntryDirectory, EntryPlace};
use crate::entry::Header;
use crate::question::Manifest;
use crate::tenant_key::{TenantId, TenantKey};

/// Entries of one tenant.
pub(crate) struct Shelf {
    pub(crate) id: TenantId,
    /// The tenant's key, once the tenant has asked.
    pub(crate) key: OnceLock<TenantKey>,
    /// Bytes of the entries, which may be read without the lock.
    bytes: AtomicU64,
    held: Mutex<Held>,
}

/// Entries of a shelf, under its lock.
#[derive(Default)]
pub(crate) struct Held {
    slots: HashMap<[u8; 32], Slot>,
    /// Digests by the turn of their last use.
    order: BTreeMap<u64, [u8; 32]>,
    /// Entries by model.
    manifests: HashMap<Manifest, usize>,
    next_turn: u64,
    /// Set for ever when the tenant was forgotten.
    is_closed: bool,
}

/// An entry.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) header: Header,
    /// Bytes that the entry counts.
    pub(crate) bytes: u64,
    /// Turn of the last use.
    turn: u64,
    /// The sealed entry; `None` where it is in a file.
    pub(crate) sealed: Option<Arc<[u8]>>,
}

impl Shelf {
    pub(crate) fn new(id: TenantId) -> Self {
        Self {
            id,
            key: OnceLock::new(),
            bytes: AtomicU64::new(0),
            held: Mutex::default(),
        }
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether nobody is at its entries, and there are none.
    pub(crate) fn is_free_and_empty(&self) -> bool {
        match self.held.try_lock() {
            Ok(held) => held.len() == 0,
            Err(TryLockError::Poisoned(held)) => held.into_inner().len() == 0,
            Err(TryLockError::WouldBlock) => false,
        }
    }

    /// Returns the bytes of its entries.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn place(&self, digest: [u8; 32]) -> EntryPlace {
        EntryPlace {
            tenant: self.id,
            digest,
        }
    }

    /// Adds an entry whose room is reserved. The caller has removed the one before.
    pub(crate) fn add(&self, held: &mut Held, digest: [u8; 32], slot: Slot) {
        let turn = held.take_turn();
        self.bytes.fetch_add(slot.bytes, Ordering::Relaxed);
        *held.manifests.entry(slot.header.manifest).or_default() += 1;
        held.order.insert(turn, digest);
        held.slots.insert(digest, Slot { turn, ..slot });
    }

    /// Removes an entry with its file. Returns the bytes that are free now.
    pub(crate) fn remove(
        &self,
        held: &mut Held,
        digest: &[u8; 32],
        files: Option<&EntryDirectory>,
    ) -> u64 {
        let Some(slot) = held.slots.remove(digest) else {
            return 0;
        };
        held.order.remove(&slot.turn);
        if let Some(count) = held.manifests.get_mut(&slot.header.manifest) {
            *count -= 1;
            if *count == 0 {
                held.manifests.remove(&slot.header.manifest);
            }
        }
        self.bytes.fetch_sub(slot.bytes, Ordering::Relaxed);
        // Under the lock, so that no newer entry of this name is removed.
        if let Some(files) = files {
            files.remove(self.place(*digest));
        }
        slot.bytes
    }

    /// Removes the entry whose last use is the longest ago. `None` where there is no entry.
    pub(crate) fn evict(&self, held: &mut Held, files: Option<&EntryDirectory>) -> Option<u64> {
        let (_, digest) = held.order.first_key_value()?;
        let digest = *digest;
        Some(self.remove(held, &digest, files))
    }

    /// Removes the entries that `is_meant` names. Returns the bytes that are free now.
    pub(crate) fn remove_all(
        &self,
        held: &mut Held,
        files: Option<&EntryDirectory>,
        is_meant: impl Fn(&Slot) -> bool,
    ) -> u64 {
        let meant = held.slots.iter().filter(|(_, slot)| is_meant(slot));
        let meant: Vec<_> = meant.map(|(digest, _)| *digest).collect();
        let bytes = meant.iter().map(|digest| self.remove(held, digest, files));
        bytes.fold(0, u64::saturating_add)
    }
}

impl Held {
    /// Returns an entry, and marks it as used now.
    pub(crate) fn use_slot(&mut self, digest: &[u8; 32]) -> Option<Slot> {
        let turn = self.take_turn();
        let slot = self.slots.get_mut(digest)?;
        self.order.remove(&slot.turn);
        self.order.insert(turn, *digest);
        slot.turn = turn;
        Some(slot.clone())
    }

    /// Returns an entry if it is still the one with this header.
    pub(crate) fn is_still(&self, digest: &[u8; 32], header: Header) -> bool {
        self.slots
            .get(digest)
            .is_some_and(|slot| slot.header == header)
    }

    pub(crate) fn is_held(&self, digest: &[u8; 32]) -> bool {
        self.slots.contains_key(digest)
    }

    pub(crate) fn has_entries_of(&self, manifest: &Manifest) -> bool {
        self.manifests.contains_key(manifest)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn take_turn(&mut self) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        turn
    }
}

impl Slot {
    /// Makes a slot of an entry of so many sealed bytes.
    pub(crate) fn new(header: Header, sealed_bytes: u64, sealed: Option<Arc<[u8]>>) -> Self {
        Self {
            header,
            bytes: counted(sealed_bytes),
            turn: 0,
            sealed,
        }
    }
}

/// Returns the bytes that an entry of so many sealed bytes counts.
pub(crate) fn counted(sealed_bytes: u64) -> u64 {
    sealed_bytes.saturating_add(ENTRY_OVERHEAD)
}
