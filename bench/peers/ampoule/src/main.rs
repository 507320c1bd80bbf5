//! Ampoule as an engine of the benchmark, through its library: the times of a caller, with a fresh sandbox for each
//! request.
//!
//! ```text
//! bench-ampoule ENGINE CACHE_DIRECTORY
//! ```
#![forbid(unsafe_code)]

mod answers;
mod embeddings;
mod memory;
mod products;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ampoule::{ByteSize, Capability, CodeCache, EngineProfile, Host, HostBuilder, Limits, Model};
use anyhow::{Result, anyhow, bail};
use bench_engine::{Engine, Job, NoFigure, Ready, Signed, Work, serve};
use tokio::runtime::Runtime;

use crate::answers::Answers;
use crate::embeddings::Embeddings;
use crate::products::Products;

/// Characters of one text that `ampoule serve` allows.
const SERVED_TEXT_CHARS: usize = 32_768;

/// The prepared workload.
#[derive(Default)]
enum Prepared {
    #[default]
    Nothing,
    Embeddings(Embeddings),
    Products(Products),
    Answers(Answers),
}

/// Settings of Ampoule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The default: all is computed in the guest, with fuel and deadline.
    Guest,
    /// All in the guest, without fuel and interruption.
    Unmetered,
    /// Products are computed by the host.
    HostKernels,
    /// The host of `ampoule serve`: a thread for each core, whatever a job says.
    Served,
    /// The host of `ampoule serve` that computes products, on each guest's own thread.
    ServedHostKernels,
}

struct Ampoule {
    kind: Kind,
    cache: PathBuf,
    runtime: Runtime,
    prepared: Prepared,
}

impl Ampoule {
    /// Begins a host with the settings that all hosts here share.
    fn host(&self, threads: usize) -> HostBuilder {
        let profile = match self.kind {
            Kind::Unmetered => EngineProfile::Unmetered,
            Kind::Guest | Kind::HostKernels | Kind::Served | Kind::ServedHostKernels => {
                EngineProfile::Metered
            }
        };
        let host = Host::builder()
            .profile(profile)
            .code_cache(CodeCache::in_directory(&self.cache));
        match self.kind {
            Kind::Guest | Kind::Unmetered => host.threads(threads),
            // One request at a time, whose products are computed by so many.
            Kind::HostKernels => host
                .threads(1)
                .allow(Capability::HostKernels)
                .kernel_threads(threads),
            Kind::Served => served(host),
            Kind::ServedHostKernels => served(host).allow(Capability::HostKernels),
        }
    }

    fn load(&self, bundle: &Signed, threads: usize) -> Result<Model> {
        let host = self.host(threads).trust_directory(&bundle.trust).build()?;
        self.load_on(&host, &bundle.path)
    }

    fn load_on(&self, host: &Host, path: &Path) -> Result<Model> {
        Ok(self.runtime.block_on(host.load(path))?)
    }
}

/// Gives a host the limits of `ampoule serve`. All else that the command sets is the library's default too.
fn served(host: HostBuilder) -> HostBuilder {
    host.limits(Limits {
        text_chars: SERVED_TEXT_CHARS,
        ..Limits::default()
    })
}

impl Engine for Ampoule {
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure> {
        self.prepared = Prepared::Nothing;
        if self.kind == Kind::HostKernels && matches!(job.work, Work::Gemm(_) | Work::Generate(_)) {
            let reason = "its guest does not ask for the host's kernels";
            return Err(NoFigure::missing(reason));
        }
        let ready;
        (self.prepared, ready) = match job.work {
            Work::Embed(embed) => {
                let model = self.load(&embed.bundle, job.threads)?;
                let embeddings = Embeddings::new(model, job.threads, embed);
                let output = embeddings.checked(&self.runtime)?;
                (Prepared::Embeddings(embeddings), output)
            }
            Work::Gemm(shape) => {
                let model = self.load(&shape.bundle, job.threads)?;
                let products = Products::new(model, &shape);
                let output = products.sample(&self.runtime)?;
                (Prepared::Products(products), output)
            }
            Work::Generate(generate) => {
                let host = self.host(job.threads);
                let host = host.trust(answers::trust(&generate.bundle)?).build()?;
                let model = self.load_on(&host, &generate.bundle.path)?;
                let answers = Answers::new(model, &generate)?;
                answers.run(&self.runtime)?;
                (Prepared::Answers(answers), Vec::new())
            }
            Work::GemvQ4(rotation) => {
                let mut limits = Limits {
                    memory: ByteSize::from_bytes(rotation.memory),
                    ..Limits::default()
                };
                limits.init.memory = limits.memory;
                let host = self.host(job.threads).limits(limits);
                let host = host.trust_directory(&rotation.bundle.trust).build()?;
                let model = self.load_on(&host, &rotation.bundle.path)?;
                let products = Products::rotating(model, &rotation);
                let output = products.sample(&self.runtime)?;
                (Prepared::Products(products), output)
            }
            Work::ReadBandwidth { .. } => {
                return Err(NoFigure::missing("measured without a sandbox"));
            }
        };
        Ok(Ready {
            about: format!("this checkout, {}", self.kind.name()),
            output: ready,
        })
    }

    fn run(&mut self, times: usize) -> Result<Vec<f64>, NoFigure> {
        let runtime = &self.runtime;
        let one = |_| match &self.prepared {
            Prepared::Nothing => Err(anyhow!("nothing is prepared")),
            Prepared::Embeddings(embeddings) => embeddings.run(runtime),
            Prepared::Products(products) => products.run(runtime),
            Prepared::Answers(answers) => answers.run(runtime),
        };
        Ok((0..times).map(one).collect::<Result<_>>()?)
    }

    fn together(&mut self, times: usize, at_once: usize) -> Result<f64, NoFigure> {
        Ok(self.embeddings()?.together(&self.runtime, times, at_once)?)
    }

    fn private_bytes(&mut self, times: usize) -> Result<u64, NoFigure> {
        let embeddings = self.embeddings()?;
        // On a host of its own, because the places of the other keep what sandboxes wrote to.
        let embeddings = embeddings.of(self.load(&embeddings.bundle, embeddings.threads)?);
        Ok(memory::highest_while(|| {
            (0..times).try_for_each(|_| embeddings.run(&self.runtime).map(drop))
        })?)
    }
}

impl Ampoule {
    fn embeddings(&self) -> Result<&Embeddings> {
        match &self.prepared {
            Prepared::Embeddings(embeddings) => Ok(embeddings),
            _ => bail!("no encoder is prepared"),
        }
    }
}

impl Kind {
    fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "ampoule" => Kind::Guest,
            "ampoule-unmetered" => Kind::Unmetered,
            "ampoule-host-kernels" => Kind::HostKernels,
            "served" => Kind::Served,
            "served-host-kernels" => Kind::ServedHostKernels,
            _ => bail!("`{name}` is no engine of this program"),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Guest => "fuel and deadline on",
            Kind::Unmetered => "without fuel and deadline",
            Kind::HostKernels => "fuel and deadline on, host kernels",
            Kind::Served => "as served",
            Kind::ServedHostKernels => "as served, host kernels",
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, cache] = arguments.as_slice() else {
        bail!("usage: bench-ampoule ENGINE CACHE_DIRECTORY");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    serve(&mut Ampoule {
        kind: Kind::of(kind)?,
        cache: cache.into(),
        runtime,
        prepared: Prepared::Nothing,
    })?;
    Ok(())
}
