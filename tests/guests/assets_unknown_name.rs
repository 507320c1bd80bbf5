//! `init` asks for files that the manifest does not list, and for the one that it does,
//! `data.bin`, by names that mean it on a file system.
//!
//! Promise: an asset has one name, the manifest's. Expected: `guest.error`, where `embed` hands on
//! the host's own `asset.not-found`; an answer with the number of names that were found otherwise.

use std::sync::OnceLock;

use ampoule_test_guests::log::{self, Level};
use ampoule_test_guests::{Embeddings, Error, assets};
use ampoule_test_guests::{export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

const NAMES: [&str; 12] = [
    "missing.bin",
    "",
    ".",
    "/",
    "/etc/passwd",
    "../data.bin",
    "./data.bin",
    "DATA.BIN",
    "data.bin/",
    "data.bin\0",
    "dir/../data.bin",
    "ampoule.dsse.json",
];

static ANSWER: OnceLock<Result<u32, Error>> = OnceLock::new();

fn init() -> Result<(), Error> {
    let mut found = 0;
    let mut refusal = ordinary::error("model.test", "no name was refused");
    for name in NAMES {
        for answer in [assets::size(name), assets::read(name, 0, 1).map(|_byte| 1)] {
            match answer {
                Ok(_) => {
                    found += 1;
                    log::write(Level::Error, &format!("the host found {name:?}"));
                }
                Err(error) => refusal = error,
            }
        }
    }
    ANSWER.get_or_init(|| if found > 0 { Ok(found) } else { Err(refusal) });
    Ok(())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    match ANSWER.get() {
        Some(Err(refusal)) => Err(refusal.clone()),
        Some(Ok(found)) => Ok(ordinary::embeddings(&texts, &[*found as f32])),
        None => Err(ordinary::error("model.test", "`init` was not called")),
    }
}
