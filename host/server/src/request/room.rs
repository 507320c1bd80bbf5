//! Room for the bodies of all requests together: one that they share, and beside it a reserve for small ones.

use std::sync::Arc;

use ampoule::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Bytes of a small body, once it is unpacked. Texts and conversations are as small as this, and pictures are not.
///
/// A few large uploads can hold all of the shared room for as long as a body may take. Small bodies have a reserve of as
/// many bytes for each connection as one can have, so nobody can hold the reserve against others.
const SMALL_BODY: u64 = 64 << 10;

/// Bytes of a unit of room.
const UNIT: u64 = 1 << 10;

/// The room of a service.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// The reserve for small bodies.
    small: Arc<Semaphore>,
    shared: Arc<Semaphore>,
}

impl Rooms {
    /// Makes room for `bodies` bytes, with a reserve for a small body of each connection.
    pub(crate) fn new(bodies: ByteSize, connections: usize) -> Self {
        let reserve = SMALL_BODY.saturating_mul(connections as u64);
        Self {
            small: semaphore(reserve),
            shared: semaphore(bodies.bytes()),
        }
    }
}

fn semaphore(bytes: u64) -> Arc<Semaphore> {
    let units = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)))
}

/// The room that one body takes, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Arc<Rooms>,
    small: Option<OwnedSemaphorePermit>,
    shared: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Begins with no room: it grows with the bytes that have come, so that announcing them takes none.
    pub(crate) fn new(rooms: &Arc<Rooms>) -> Self {
        Self {
            rooms: Arc::clone(rooms),
            small: None,
            shared: None,
        }
    }

    /// Takes room for so many bytes in all. A body that is small no more gives its part of the reserve back.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> Result<(), ApiError> {
        if self.shared.is_none()
            && bytes <= SMALL_BODY
            && take(&self.rooms.small, &mut self.small, bytes).is_some()
        {
            return Ok(());
        }
        take(&self.rooms.shared, &mut self.shared, bytes).ok_or_else(ApiError::no_room_for_body)?;
        self.small = None;
        Ok(())
    }
}

/// Adds to the permit as much as it lacks for so many bytes. Returns `None` where there is too little.
fn take(room: &Arc<Semaphore>, taken: &mut Option<OwnedSemaphorePermit>, bytes: u64) -> Option<()> {
    let units = usize::try_from(bytes.div_ceil(UNIT)).ok()?;
    let has = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let lacks = u32::try_from(units.saturating_sub(has)).ok()?;
    if lacks > 0 {
        let more = Arc::clone(room).try_acquire_many_owned(lacks).ok()?;
        match taken {
            Some(taken) => taken.merge(more),
            None => *taken = Some(more),
        }
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn rooms(connections: usize) -> Arc<Rooms> {
        Arc::new(Rooms::new(ByteSize::from_mib(1), connections))
    }

    fn is_free(rooms: &Rooms) -> bool {
        (
            rooms.small.available_permits(),
            rooms.shared.available_permits(),
        ) == (64, 1_024)
    }

    #[test]
    fn small_bodies_have_room_while_large_ones_hold_all_of_theirs() {
        let rooms = rooms(1);
        let mut large = Room::new(&rooms);
        large.grow_to(1 << 20).unwrap();
        assert!(large.grow_to((1 << 20) + 1).is_err(), "it is full");
        let mut small = Room::new(&rooms);
        small.grow_to(1).unwrap();
        small.grow_to(SMALL_BODY).unwrap();
        assert!(
            small.grow_to(SMALL_BODY + 1).is_err(),
            "it is small no more"
        );
        drop((large, small));
        assert!(is_free(&rooms));
    }

    #[test]
    fn a_body_that_is_small_no_more_gives_its_part_of_the_reserve_back() {
        let rooms = rooms(1);
        let mut grows = Room::new(&rooms);
        grows.grow_to(SMALL_BODY).unwrap();
        grows.grow_to(SMALL_BODY + 1).unwrap();
        assert_eq!(rooms.small.available_permits(), 64);
        assert_eq!(rooms.shared.available_permits(), 1_024 - 65);
        drop(grows);
        assert!(is_free(&rooms));
    }

    #[test]
    fn small_bodies_beyond_the_reserve_share_the_room_of_the_others() {
        let rooms = rooms(1);
        let mut first = Room::new(&rooms);
        first.grow_to(SMALL_BODY).unwrap();
        let mut second = Room::new(&rooms);
        second.grow_to(SMALL_BODY).unwrap();
        assert_eq!(rooms.shared.available_permits(), 1_024 - 64);
        drop((first, second));
        assert!(is_free(&rooms));
    }
}
