//! The cost of sandboxes on this machine: models of three sizes, measured by `ampoule bench`.

use anyhow::{Context as _, Result};
use bench_engine::Signed;
use serde_json::Value;

use crate::bundles;
use crate::process;
use crate::random_encoder::{self, Dimensions};
use crate::repository::Repository;
use crate::signing::{self, Recipe};
use crate::statistics;

/// A model to be measured, and bounds on its figures.
struct Subject {
    recipe: Recipe,
    dimensions: Dimensions,
    asked: &'static [Asked],
}

/// A bound on a figure of `ampoule bench --json`.
struct Asked {
    what: &'static str,
    bound: f64,
    figure: fn(&Figures) -> Option<f64>,
}

/// The documents of all measurements of a model.
struct Figures(Vec<Value>);

impl Figures {
    /// Returns the median of the figures at a JSON pointer.
    fn median(&self, pointer: &str) -> Option<f64> {
        let figures = self
            .0
            .iter()
            .map(|document| document.pointer(pointer)?.as_f64());
        statistics::median(figures.collect::<Option<_>>()?)
    }

    /// Returns the snapshot's size beside that of the weights and 8 MiB.
    fn snapshot_ratio(&self) -> Option<f64> {
        let weights = self.median("/packed_weight_bytes")? + f64::from(8 << 20);
        Some(self.median("/snapshot_bytes")? / weights)
    }

    fn bare_ratio(&self) -> Option<f64> {
        Some(self.median("/instantiate_us/p50")? / self.median("/bare_instantiate_us/p50")?)
    }
}

const fn encoder(name: &'static str) -> Recipe {
    Recipe {
        name,
        tasks: &["text-embedding", "text-tokenization"],
        description: "An encoder with random weights",
        limits: &["--timeout", "60s", "--fuel", "1000000000000"],
        capabilities: &[],
    }
}

const BARE: Asked = Asked {
    what: "a sandbox beside a bare instance, p50",
    bound: 1.5,
    figure: Figures::bare_ratio,
};

const SNAPSHOT: Asked = Asked {
    what: "the snapshot beside weights + 8 MiB",
    bound: 1.15,
    figure: Figures::snapshot_ratio,
};

const fn sandbox_p50(bound: f64) -> Asked {
    Asked {
        what: "fresh sandbox and call, p50 µs",
        bound,
        figure: |figures| figures.median("/fresh_call_us/p50"),
    }
}

const fn sandbox_p99(bound: f64) -> Asked {
    Asked {
        what: "fresh sandbox and call, p99 µs",
        bound,
        figure: |figures| figures.median("/fresh_call_us/p99"),
    }
}

/// 2.6, 25 and 101 million numbers of four bytes.
const SUBJECTS: [Subject; 3] = [
    Subject {
        recipe: encoder("random-10mb"),
        dimensions: Dimensions {
            hidden: 128,
            layers: 10,
            vocabulary: 4_600,
        },
        asked: &[sandbox_p50(60.0), sandbox_p99(150.0), BARE, SNAPSHOT],
    },
    Subject {
        recipe: encoder("random-100mb"),
        dimensions: Dimensions {
            hidden: 384,
            layers: 12,
            vocabulary: 9_500,
        },
        asked: &[
            BARE,
            SNAPSHOT,
            Asked {
                what: "loading, cold, ms",
                bound: 4_000.0,
                figure: |figures| figures.median("/load_cold_ms"),
            },
            Asked {
                what: "loading, out of the cache, ms",
                bound: 250.0,
                figure: |figures| figures.median("/load_warm_ms"),
            },
        ],
    },
    Subject {
        recipe: encoder("random-400mb"),
        dimensions: Dimensions {
            hidden: 768,
            layers: 12,
            vocabulary: 19_000,
        },
        asked: &[sandbox_p50(120.0), sandbox_p99(400.0), BARE, SNAPSHOT],
    },
];

/// The figures that are shown of each model.
const SHOWN: [(&str, &str); 14] = [
    ("packed weights, bytes", "/packed_weight_bytes"),
    ("snapshot, bytes", "/snapshot_bytes"),
    ("load, cold, ms", "/load_cold_ms"),
    ("load, from the cache, ms", "/load_warm_ms"),
    ("instantiate, p50 µs", "/instantiate_us/p50"),
    ("instantiate, p99 µs", "/instantiate_us/p99"),
    ("bare instantiate, p50 µs", "/bare_instantiate_us/p50"),
    ("bare instantiate, p99 µs", "/bare_instantiate_us/p99"),
    ("first call, p50 µs", "/first_call_us/p50"),
    ("first call, p99 µs", "/first_call_us/p99"),
    ("drop, p50 µs", "/drop_us/p50"),
    ("drop, p99 µs", "/drop_us/p99"),
    ("private bytes a sandbox", "/private_bytes_per_sandbox"),
    ("metered / unmetered", "/metering_ratio"),
];

/// Makes the models, measures each `repeat` times, and prints medians and bounds. A missed bound is marked and
/// no failure: a machine may be slow or busy.
pub(crate) fn bench(repository: &Repository, repeat: u32) -> Result<()> {
    repository.xtask(["setup", "--guests"])?;
    let minilm = bundles::encoder(repository)?;
    let component = minilm.path.join("component.wasm");
    let folder = tempfile::tempdir_in(repository.output()).context("cannot make a folder")?;
    for Subject {
        recipe,
        dimensions,
        asked,
    } in &SUBJECTS
    {
        let place = folder.path().join(recipe.name);
        let bundle = signing::make(repository, recipe, &place, |folder| {
            bundles::copy(&component, &folder.join("component.wasm"))?;
            random_encoder::write(*dimensions, folder)
        })?;
        print(recipe.name, &measure(repository, &bundle, repeat)?, asked);
        // Hundreds of megabytes that nobody needs any more.
        std::fs::remove_dir_all(&place)?;
    }
    let figures = measure(repository, &minilm, repeat)?;
    print("all-MiniLM-L6-v2", &figures, &[BARE, SNAPSHOT]);
    Ok(())
}

fn measure(repository: &Repository, bundle: &Signed, repeat: u32) -> Result<Figures> {
    let documents = (0..repeat).map(|_| {
        let mut ampoule = repository.command("ampoule");
        ampoule
            .args(["bench", "--json", "--runs", "5", "--timeout", "60s"])
            .args(["--fuel", "1000000000000", "--memory", "1GiB"])
            .args(["--init-memory", "2GiB", "--trust"])
            .args([&bundle.trust, &bundle.path]);
        serde_json::from_str(&process::output(&mut ampoule)?)
            .context("`ampoule bench --json` printed no JSON")
    });
    Ok(Figures(documents.collect::<Result<_>>()?))
}

fn print(name: &str, figures: &Figures, asked: &[Asked]) {
    println!("\n{name}, medians of {}", figures.0.len());
    for (what, pointer) in SHOWN {
        match figures.median(pointer) {
            Some(figure) if figure >= 1e4 => println!("  {what:<28} {figure:>14.0}"),
            Some(figure) => println!("  {what:<28} {figure:>14.2}"),
            None => println!("  {what:<28} {:>14}", "-"),
        }
    }
    for Asked {
        what,
        bound,
        figure,
    } in asked
    {
        let (figure, verdict) = match figure(figures) {
            Some(figure) if figure <= *bound => (figure, "as asked"),
            Some(figure) => (figure, "MISSED"),
            None => (f64::NAN, "NOT MEASURED"),
        };
        println!("  asked: {what} ≤ {bound}: {figure:.2}, {verdict}");
    }
}
