//! The host under soak, its models, and the check at the end that it has lost nothing.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use ampoule::{Generation, GenerationRequest, Host, Limits, Model, TrustStore};
use ampoule_signing::PublicKey;
use tokio::sync::Mutex;

use super::bundles::Bundles;
use super::hostile_models::HostileModels;
use super::models::{IDLE, PATIENCE, good_bundle, load};
use crate::built_in::built_in_bundle;
use crate::bundle::Publisher;
use crate::evaluation::{Question, evaluation_sample};

/// Limits of the host: low, so that storms reach them.
const SANDBOXES: usize = 16;
const QUEUE: usize = 32;
const THREADS: usize = 2;

/// The host under soak, with everything that requests and changes need.
pub(super) struct World {
    pub(super) host: Host,
    acme: Publisher,
    /// Trusted most of the time.
    beta: Publisher,
    built_in_key: PublicKey,
    /// Offers every task, and is replaced now and then.
    pub(super) good: RefCell<Model>,
    pub(super) of_beta: Model,
    pub(super) built_in: Model,
    /// Questions about pictures, with the model's answers.
    pub(super) questions: Vec<(Question, String)>,
    pub(super) hostile: HostileModels,
    /// Held while a model is loaded or the trust changes, one at a time.
    pub(super) changing: Mutex<()>,
    pub(super) bundles: Bundles,
    busy: Cell<u64>,
}

impl World {
    pub(super) async fn new() -> Self {
        let (acme, beta) = (Publisher::new("acme"), Publisher::new("beta"));
        let (bundle, built_in_key) = built_in_bundle();
        let mut limits = Limits::default();
        limits.sandboxes = SANDBOXES;
        limits.queue = QUEUE;
        limits.idle = IDLE;
        limits.deadline = PATIENCE;
        limits.init.deadline = PATIENCE;
        let host = Host::builder().limits(limits).threads(THREADS);
        let host = host.build().unwrap();
        host.replace_trust(trust(&[&acme, &beta], &built_in_key));

        let good = load(&host, good_bundle(&acme, 0)).await;
        let of_beta = load(&host, good_bundle(&beta, 0)).await;
        let built_in = host.load_bundle(bundle).await.unwrap();
        let mut questions = Vec::new();
        for question in evaluation_sample(1_000) {
            let answer = question.ask(&built_in).await.unwrap();
            questions.push((question, answer));
        }
        let bundles = Bundles::write(&acme);
        let hostile = HostileModels::load(&host, &acme).await;
        Self {
            host,
            acme,
            beta,
            built_in_key,
            good: RefCell::new(good),
            of_beta,
            built_in,
            questions,
            hostile,
            changing: Mutex::new(()),
            bundles,
            busy: Cell::new(0),
        }
    }

    pub(super) fn trust_everybody(&self) {
        let trust = trust(&[&self.acme, &self.beta], &self.built_in_key);
        self.host.replace_trust(trust);
    }

    pub(super) fn trust_all_but_beta(&self) {
        let trust = trust(&[&self.acme], &self.built_in_key);
        self.host.replace_trust(trust);
    }

    pub(super) fn model(&self) -> Model {
        self.good.borrow().clone()
    }

    /// Asks again for as long as the host is busy.
    pub(super) async fn patiently<T>(
        &self,
        ask: impl AsyncFn() -> ampoule::Result<T>,
    ) -> ampoule::Result<T> {
        let began = Instant::now();
        loop {
            match ask().await {
                Err(error) if error.code() == "limit.busy" && began.elapsed() < PATIENCE => {
                    self.busy.set(self.busy.get() + 1);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                result => return result,
            }
        }
    }

    pub(super) fn busy(&self) -> u64 {
        self.busy.get()
    }

    /// Lists permits and threads that an idle host should have and has not.
    pub(super) async fn losses(&self) -> Vec<String> {
        let mut lost = Vec::new();
        // The last requests give their sandboxes back within milliseconds, also on a busy machine.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let model = self.model();
        let mut held: Vec<Generation> = Vec::new();
        for place in 1..=SANDBOXES {
            let request = GenerationRequest::question("one two three", 3);
            match model.generate(request).await {
                Ok(generation) => held.push(generation),
                Err(error) => lost.push(format!("place {place} of {SANDBOXES}: {error}")),
            }
        }
        let request = GenerationRequest::question("one too many", 3);
        match model.generate(request).await {
            Err(error) if error.code() == "limit.busy" => {}
            other => lost.push(format!("one place too many: {:?}", other.err())),
        }
        for mut generation in held {
            if let Err(error) = generation.next().await {
                lost.push(format!("a generation in the last of the places: {error}"));
            }
        }
        for (name, expected) in [
            ("ampoule-guest-", THREADS),
            ("ampoule-clock", 1),
            ("ampoule-reaper", 1),
        ] {
            let found = threads_named(name);
            if found != expected {
                lost.push(format!("{found} threads {name}*, {expected} expected"));
            }
        }
        lost
    }
}

/// Counts the threads of this process whose name begins like this. The system keeps 15 bytes of a name.
fn threads_named(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with(prefix))
        .count()
}

fn trust(publishers: &[&Publisher], built_in_key: &PublicKey) -> TrustStore {
    let mut trust = TrustStore::new();
    for publisher in publishers {
        let key = publisher.public_key().clone();
        trust.insert(key, [publisher.name()]).unwrap();
    }
    trust
        .insert_model(built_in_key.clone(), "ampoule", "tiny-vlm")
        .unwrap();
    trust
}
