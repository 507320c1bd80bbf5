//! What sandboxes cost on this machine: models of three sizes, measured by `ampoule bench`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::minilm_bundle::{self, Destination};
use crate::random_encoder::{self, Dimensions};
use crate::signed_bundle::{self, Recipe, Release};
use crate::workspace::{HostProfile, Workspace};
use crate::{guests, process, setup, weights};

/// A model to be measured, and what is asked of it.
struct Subject {
    recipe: Recipe,
    dimensions: Dimensions,
    asked: &'static [Asked],
}

/// A figure of `ampoule bench --json` that is not to be above a bound.
struct Asked {
    what: &'static str,
    bound: f64,
    figure: fn(&Figures) -> Option<f64>,
}

/// The medians over what was measured.
struct Figures(Vec<Value>);

impl Figures {
    /// The median of what stands at a JSON pointer.
    fn median(&self, pointer: &str) -> Option<f64> {
        let figures = self
            .0
            .iter()
            .map(|document| document.pointer(pointer)?.as_f64());
        let mut figures: Vec<f64> = figures.collect::<Option<_>>()?;
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    /// How large the snapshot is beside the weights and 8 MiB.
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
        publisher: "bench",
        name,
        package: "ampoule-minilm",
        tasks: &["text-embedding", "text-tokenization"],
        description: "An encoder with random weights",
        source: "cargo xtask bench sandbox",
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

/// Makes the models, measures each as often as asked, and prints medians and what is asked of them. What
/// is missed is marked and no failure: a machine may be slow or busy.
pub(crate) fn bench(workspace: &Workspace, repeat: u32) -> Result<()> {
    let profile = HostProfile::Release;
    setup::setup(workspace)?;
    guests::build_model(workspace, &guests::model(workspace, "ampoule-minilm")?)?;
    weights::fetch(workspace)?;
    signed_bundle::build_programs(workspace, profile)?;
    minilm_bundle::demo_if_stale(workspace, profile)?;

    let folder = tempfile::tempdir_in(workspace.output()).context("cannot make a folder")?;
    let trust = folder.path().join("trust");
    for subject in &SUBJECTS {
        let bundle = make(workspace, subject, folder.path(), &trust)?;
        let figures = measure(workspace, &bundle, &trust, repeat)?;
        print(subject.recipe.name, &figures, subject.asked);
        // Hundreds of megabytes that nobody needs any more.
        std::fs::remove_dir_all(&bundle)?;
    }
    let demo = Destination::demo(workspace);
    let figures = measure(workspace, &demo.bundle, &demo.trust, repeat)?;
    print("all-MiniLM-L6-v2", &figures, &[BARE, SNAPSHOT]);
    Ok(())
}

/// A signed bundle of an encoder, whose publisher is trusted from now on.
fn make(workspace: &Workspace, subject: &Subject, folder: &Path, trust: &Path) -> Result<PathBuf> {
    let (recipe, profile) = (&subject.recipe, HostProfile::Release);
    let bundle = folder.join(recipe.name);
    std::fs::create_dir(&bundle)?;
    let guest = guests::model(workspace, recipe.package)?;
    signed_bundle::copy(&guest.component, &bundle.join("component.wasm"))?;
    random_encoder::write(subject.dimensions, &bundle)?;
    let release = Release {
        number: 1,
        created: None,
    };
    signed_bundle::write_manifest(workspace, recipe, &release, &bundle, profile)?;
    let public_key = folder.join("publisher.pub.pem");
    signed_bundle::sign_once(workspace, &bundle, &public_key, profile)?;
    signed_bundle::trust(workspace, recipe.publisher, &public_key, trust, profile)?;
    std::fs::remove_file(public_key)?;
    Ok(bundle)
}

fn measure(workspace: &Workspace, bundle: &Path, trust: &Path, repeat: u32) -> Result<Figures> {
    let documents = (0..repeat).map(|_| {
        let mut ampoule = signed_bundle::program(workspace, HostProfile::Release, "ampoule");
        ampoule
            .args(["bench", "--json", "--runs", "5", "--timeout", "60s"])
            .args(["--fuel", "1000000000000", "--memory", "1GiB"])
            .args(["--init-memory", "2GiB", "--trust"])
            .args([trust, bundle]);
        serde_json::from_str(&process::output(&mut ampoule)?)
            .context("`ampoule bench --json` printed something unexpected")
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
