//! An engine that runs the sentence encoder and nothing else.

use std::time::Instant;

use anyhow::anyhow;

use crate::{Embed, Engine, Job, NoFigure, Ready, Work, serve};

/// A sentence encoder, loaded by some library, and its request.
pub trait Encoder: Sized {
    /// Name and version of the library.
    const ABOUT: &str;

    /// Loads the network, to be computed by so many threads.
    ///
    /// # Errors
    ///
    /// When the library does not have it, or fails.
    fn load(embed: Embed, threads: usize) -> Result<Self, NoFigure>;

    /// Computes the vectors, one after another.
    ///
    /// # Errors
    ///
    /// When the library fails.
    fn vectors(&self) -> Result<Vec<f32>, NoFigure>;
}

/// Serves the driver with such an encoder until it closes standard input.
///
/// # Errors
///
/// When standard input or output fails.
pub fn serve_encoder<E: Encoder>() -> std::io::Result<()> {
    serve(&mut Loaded::<E>(None))
}

struct Loaded<E>(Option<E>);

impl<E: Encoder> Engine for Loaded<E> {
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure> {
        // The last model goes first: both together may not fit into 32 bits of addresses.
        self.0 = None;
        let Work::Embed(embed) = job.work else {
            return Err(NoFigure::missing("runs the sentence encoder only"));
        };
        let encoder = self.0.insert(E::load(embed, job.threads)?);
        Ok(Ready {
            about: E::ABOUT.to_owned(),
            output: encoder.vectors()?,
        })
    }

    fn run(&mut self, times: usize) -> Result<Vec<f64>, NoFigure> {
        let encoder = self.0.as_ref();
        let encoder = encoder.ok_or_else(|| anyhow!("nothing is prepared"))?;
        let time = |_| {
            let began = Instant::now();
            encoder.vectors()?;
            Ok(began.elapsed().as_secs_f64() * 1e3)
        };
        (0..times).map(time).collect()
    }
}
