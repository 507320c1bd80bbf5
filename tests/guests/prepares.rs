//! `init` counts itself, says so in the log, draws a random number, and reads `data.bin` whole where the
//! bundle has it. `embed` answers with how often `init` ran, with how many requests this sandbox has
//! served, this one included, with the sum of the file's bytes, with 24 bits of what `init` drew, and with
//! 24 fresh bits.
//!
//! Promise: `init` runs once for all sandboxes, and what it left is what each of them begins with.
//! Expected: `[1.0, 1.0, sum, drawn, fresh]`, where `drawn` never changes and `fresh` always does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ampoule_test_guests::{Embeddings, Error, assets, log, ordinary, random};
use ampoule_test_guests::{export_lifecycle, export_text_embedding};

export_lifecycle!(init);
export_text_embedding!(embed);

const FILE: &str = "data.bin";
/// As many bits as an `f32` holds exactly.
const BITS: u64 = 0xFF_FFFF;

static PREPARED: AtomicU32 = AtomicU32::new(0);
static SERVED: AtomicU32 = AtomicU32::new(0);
static DRAWN: AtomicU64 = AtomicU64::new(0);
static DATA: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn init() -> Result<(), Error> {
    PREPARED.fetch_add(1, Ordering::Relaxed);
    DRAWN.store(random::get_random_u64() & BITS, Ordering::Relaxed);
    log::write(log::Level::Info, "init ran");
    // Without the file there is nothing to read.
    let Ok(size) = assets::size(FILE) else {
        return Ok(());
    };
    let mut data = Vec::with_capacity(size as usize);
    while (data.len() as u64) < size {
        data.extend(assets::read(FILE, data.len() as u64, u32::MAX)?);
    }
    if let Ok(mut kept) = DATA.lock() {
        *kept = data;
    }
    Ok(())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
    let sum: u64 = DATA
        .lock()
        .map_or(0, |data| data.iter().map(|byte| u64::from(*byte)).sum());
    let fresh = random::get_random_u64() & BITS;
    Ok(ordinary::embeddings(
        &texts,
        &[
            PREPARED.load(Ordering::Relaxed) as f32,
            served as f32,
            (sum & BITS) as f32,
            DRAWN.load(Ordering::Relaxed) as f32,
            fresh as f32,
        ],
    ))
}
