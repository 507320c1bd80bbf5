//! `classify` answers with 65,536 labels whose names are all one and the same mebibyte of the
//! guest's memory: 64 GiB for a host that copies what it is handed.
//!
//! Promise: the output limit counts what the host would copy, not what the guest holds.
//! Expected: `limit.output`.

use std::mem::ManuallyDrop;

use ampoule_test_guests::image_classification::Label;
use ampoule_test_guests::{Error, Image, export_image_classification, export_lifecycle};

export_lifecycle!();
export_image_classification!(classify);

fn classify(_image: Image, _top_k: u32) -> Result<Vec<Label>, Error> {
    let mut name = ManuallyDrop::new("x".repeat(1 << 20));
    let (start, length, capacity) = (name.as_mut_ptr(), name.len(), name.capacity());
    let labels = (0..65_536).map(|_| Label {
        // SAFETY: the parts are those of a `String` that is never dropped. That many `String`s then
        // own the same bytes is the point; they are only read, and the sandbox is dropped with the
        // answer before anything frees them twice.
        name: unsafe { String::from_raw_parts(start, length, capacity) },
        score: 1.0,
    });
    Ok(labels.collect())
}
