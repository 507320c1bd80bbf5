//! `init` reads every file `weights-0.bin`, `weights-1.bin` and so on whole. Each chunk of a generation is the
//! sum of all of their bytes, read anew.
//!
//! Promise: sandboxes share what `init` has made of the weights, and have only what they write for
//! themselves. Expected: any number of chunks, each with the sum.

use std::sync::Mutex;

use ampoule_test_guests::text_generation::{Chunk, GenerationRequest, GuestGeneration};
use ampoule_test_guests::{Error, assets, export_lifecycle, export_text_generation, ordinary};

export_lifecycle!(init);
export_text_generation!(generate => Sum);

static WEIGHTS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn init() -> Result<(), Error> {
    let mut files = Vec::new();
    // Beyond the last of them there is nothing to read.
    while let Ok(size) = assets::size(&name(files.len())) {
        let mut file = Vec::with_capacity(size as usize);
        while (file.len() as u64) < size {
            file.extend(assets::read(
                &name(files.len()),
                file.len() as u64,
                u32::MAX,
            )?);
        }
        files.push(file);
    }
    if let Ok(mut weights) = WEIGHTS.lock() {
        *weights = files;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("weights-{number}.bin")
}

/// The generation of one sum after another.
pub struct Sum;

fn generate(_request: GenerationRequest) -> Result<Sum, Error> {
    Ok(Sum)
}

impl GuestGeneration for Sum {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        let weights = WEIGHTS
            .lock()
            .map_err(|_| ordinary::error("model.test", "the weights are gone"))?;
        // A file at a time, which the compiler makes vector code of.
        let sum_of = |file: &Vec<u8>| file.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let sum: u64 = weights.iter().map(sum_of).sum();
        Ok(Some(Chunk {
            text: sum.to_string(),
            finish: None,
        }))
    }
}
