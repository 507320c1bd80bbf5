//! Finding and taking the next release of a followed model.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ampoule_load::{LoadOptions, ReleaseRule};
use ampoule_sandbox::{Error, Result, off_thread};
use ampoule_signing::{Bundle, Envelope, FilesStamp, SeenRelease, Sha256Digest};
use tokio::sync::watch;

use crate::host::Host;
use crate::model::Model;
use crate::serving::{Refusal, Serving};
use crate::watch::{Occasion, Update};

/// The first pause before a candidate that was refused is tried again, though nothing of it has changed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: each is twice the one before, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The shortest pause in terms of the time that trying took, so that a candidate that fails late, again and again,
/// takes a tenth of a core.
const PAUSES_PER_TRY: u32 = 9;

/// Follows one place.
pub(crate) struct Follower {
    host: Host,
    path: PathBuf,
    options: LoadOptions,
    serving: Arc<watch::Sender<Serving>>,
    tried: Mutex<Option<Tried>>,
}

/// A candidate that was refused.
struct Tried {
    candidate: Candidate,
    pause: Duration,
    again: Instant,
}

/// All that decides whether it is worth trying again.
#[derive(PartialEq, Eq)]
struct Candidate {
    envelope: Envelope,
    /// A copy may have been half done.
    files: FilesStamp,
    /// Generation of the host's trust that it was held against.
    trust: u64,
}

impl Follower {
    pub(crate) fn new(
        host: Host,
        path: PathBuf,
        options: LoadOptions,
        serving: Arc<watch::Sender<Serving>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            host,
            path,
            options,
            serving,
            tried: Mutex::default(),
        })
    }

    /// Looks at the place. Returns the load of a candidate that is worth trying.
    pub(crate) fn look(self: &Arc<Self>, occasion: Occasion) -> Option<Update> {
        let bundle = match self.options.open(&self.path) {
            Ok(bundle) => bundle,
            Err(error) => {
                self.set_tried(None);
                self.refuse(error, None);
                return None;
            }
        };
        if self.model().envelope() == bundle.envelope() {
            self.set_tried(None);
            self.set_refusal(None);
            return None;
        }
        let candidate = Candidate {
            envelope: bundle.envelope().clone(),
            files: bundle.unverified_stamp(),
            trust: self.host.trust_generation(),
        };
        let pause = self.pause_after(&candidate, occasion)?;
        let follower = Arc::clone(self);
        Some(Box::pin(async move {
            follower.attempt(bundle, candidate, pause).await;
        }))
    }

    /// Returns the pause after a candidate, should it fail now; `None` when it is too early to try it again.
    fn pause_after(&self, candidate: &Candidate, occasion: Occasion) -> Option<Duration> {
        let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        match tried.as_ref().filter(|tried| tried.candidate == *candidate) {
            Some(tried) if occasion == Occasion::Second && Instant::now() < tried.again => None,
            Some(tried) => Some(LONGEST_PAUSE.min(2 * tried.pause)),
            None => Some(FIRST_PAUSE),
        }
    }

    async fn attempt(&self, bundle: Bundle, candidate: Candidate, pause: Duration) {
        let began = Instant::now();
        match self.load(bundle).await {
            Ok(model) => {
                self.set_tried(None);
                self.take_over(model).await;
            }
            Err(error) => {
                let manifest = Sha256Digest::of(candidate.envelope.payload());
                self.refuse(error, Some(manifest));
                self.set_tried(Some(Tried {
                    candidate,
                    pause,
                    again: Instant::now() + pause.max(PAUSES_PER_TRY * began.elapsed()),
                }));
            }
        }
    }

    /// Loads a candidate as any bundle is loaded.
    async fn load(&self, bundle: Bundle) -> Result<Model> {
        let serving = self.model();
        let rule = ReleaseRule {
            rollback: self.options.rollback,
            serving: Some(SeenRelease::of(
                serving.manifest(),
                serving.manifest_digest(),
            )),
        };
        drop(serving);
        let terms = self.options.terms();
        self.host
            .load_silently(move || Ok(bundle), rule, terms)
            .await
    }

    async fn take_over(&self, model: Model) {
        let manifest = model.manifest().clone();
        let digest = model.manifest_digest();
        let mut new = Some(model);
        let mut before = None;
        self.serving.send_modify(|serving| {
            serving.refusal = None;
            before = new
                .take()
                .map(|new| std::mem::replace(&mut serving.model, new));
        });
        let Some(before) = before else {
            return;
        };
        tracing::info!(
            target: "ampoule::load",
            publisher = manifest.publisher(),
            model = manifest.name(),
            version = %manifest.version(),
            from_release = before.manifest().release(),
            release = manifest.release(),
            manifest = %digest,
            "new requests move to what lies in the model's place"
        );
        // It may be the last of its release, with gigabytes to unmap, and this thread is that of all places.
        // Without a thread to be had, it is dropped here.
        let _ = off_thread(move || {
            drop(before);
            Ok(())
        })
        .await;
    }

    /// Tells of each candidate and each reason once.
    fn refuse(&self, error: Error, manifest: Option<Sha256Digest>) {
        let told = (self.serving.borrow().refusal.as_ref())
            .is_some_and(|told| told.manifest_digest() == manifest && told.code() == error.code());
        if !told {
            tracing::warn!(
                target: "ampoule::load",
                code = error.code(), %error,
                manifest = manifest.map(tracing::field::display),
                "refused in the place of a model that serves on"
            );
        }
        self.set_refusal(Some(Refusal::new(error, manifest)));
    }

    fn model(&self) -> Model {
        self.serving.borrow().model.clone()
    }

    /// Sets the refusal. Those who wait for another release are not woken.
    fn set_refusal(&self, refusal: Option<Refusal>) {
        self.serving.send_if_modified(|serving| {
            serving.refusal = refusal;
            false
        });
    }

    fn set_tried(&self, tried: Option<Tried>) {
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = tried;
    }
}
