//! `init` asks the clock for something to wait on, and keeps it; it reads the first byte of `data.bin` too.
//! `embed` answers with whether the clock is ready, with that byte, and with whether the file can still be
//! read.
//!
//! Promise: what `init` has open in the host is no part of memory, so a model like this one gets no
//! snapshot, and works all the same. Expected: a cold start, and an answer of `[1.0, byte, 0.0]`.

use std::cell::{Cell, RefCell};

use ampoule_test_guests::{Embeddings, Error, Pollable, assets, monotonic_clock, ordinary};
use ampoule_test_guests::{export_lifecycle, export_text_embedding};

export_lifecycle!(init);
export_text_embedding!(embed);

thread_local! {
    static KEPT: RefCell<Option<Pollable>> = const { RefCell::new(None) };
    static BYTE: Cell<u8> = const { Cell::new(0) };
}

fn init() -> Result<(), Error> {
    let now = monotonic_clock::subscribe_duration(0);
    KEPT.with_borrow_mut(|kept| *kept = Some(now));
    BYTE.set(first_byte()?);
    Ok(())
}

fn first_byte() -> Result<u8, Error> {
    let bytes = assets::read("data.bin", 0, 1)?;
    Ok(bytes.first().copied().unwrap_or_default())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let ready = KEPT.with_borrow(|kept| {
        kept.as_ref().is_some_and(|pollable| {
            pollable.block();
            pollable.ready()
        })
    });
    let still_open = first_byte().is_ok();
    Ok(ordinary::embeddings(
        &texts,
        &[
            f32::from(u8::from(ready)),
            f32::from(BYTE.get()),
            f32::from(u8::from(still_open)),
        ],
    ))
}
