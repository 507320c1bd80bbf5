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

/// Bytes of an answer that takes no room: as many as a connection's buffer has.
pub(crate) const SMALL_ANSWER: u64 = 64 << 10;

/// The part of the room of bodies that answers have beside it: a sixteenth, 16 MiB by default. Most readers take an answer
/// at once, and memory stays flat where they do not.
const ANSWERS_PART: u64 = 16;

/// Bytes of a unit of room.
const UNIT: u64 = 1 << 10;

/// The room of a service.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// The reserve for small bodies.
    small: Arc<Semaphore>,
    shared: Arc<Semaphore>,
    /// The room for whole answers whose readers have not taken them yet.
    answers: Arc<Semaphore>,
    /// Units of that room.
    all_of_answers: usize,
}

impl Rooms {
    /// Makes room for `bodies` bytes, with a reserve for a small body of each connection, and a part for answers.
    pub(crate) fn new(bodies: ByteSize, connections: usize) -> Self {
        let reserve = SMALL_BODY.saturating_mul(connections as u64);
        // One unit at least, so that there is something to take.
        let answers = semaphore((bodies.bytes() / ANSWERS_PART).max(UNIT));
        Self {
            all_of_answers: answers.available_permits(),
            answers,
            small: semaphore(reserve),
            shared: semaphore(bodies.bytes()),
        }
    }

    /// Takes room for a whole answer of so many bytes until the permit is dropped. An answer that is larger than all of the
    /// room takes all of it, so that it is sent when it is the only one.
    pub(crate) fn answer(&self, bytes: u64) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
        let units = units.min(self.all_of_answers).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let answers = Arc::clone(&self.answers);
        answers
            .try_acquire_many_owned(units)
            .map_err(|_| ApiError::no_room_for_answer())
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
    fn answers_have_a_room_of_their_own_and_the_largest_takes_all_of_it() {
        let rooms = Rooms::new(ByteSize::from_mib(16), 1);
        let first = rooms.answer(512 << 10).unwrap();
        let second = rooms.answer(512 << 10).unwrap();
        let code = rooms.answer(1).map_err(|error| error.code.to_string());
        assert_eq!(code.err().as_deref(), Some("server.answers"));
        drop((first, second));
        let large = rooms.answer(u64::MAX).unwrap();
        assert!(rooms.answer(1).is_err());
        drop(large);
        assert!(rooms.answer(1 << 20).is_ok());
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
