//! `init` asks the clock for something to wait on, and keeps it. `embed` answers with whether it is ready.
//!
//! Promise: what `init` has open in the host is no part of memory, so a model like this one gets no
//! snapshot, and works all the same. Expected: a cold start, and an answer of `[1.0]`.

use std::cell::RefCell;

use ampoule_test_guests::{Embeddings, Error, Pollable, monotonic_clock, ordinary};
use ampoule_test_guests::{export_lifecycle, export_text_embedding};

export_lifecycle!(init);
export_text_embedding!(embed);

thread_local! {
    static KEPT: RefCell<Option<Pollable>> = const { RefCell::new(None) };
}

fn init() -> Result<(), Error> {
    let now = monotonic_clock::subscribe_duration(0);
    KEPT.with_borrow_mut(|kept| *kept = Some(now));
    Ok(())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let ready = KEPT.with_borrow(|kept| {
        kept.as_ref().is_some_and(|pollable| {
            pollable.block();
            pollable.ready()
        })
    });
    Ok(ordinary::embeddings(&texts, &[f32::from(u8::from(ready))]))
}
