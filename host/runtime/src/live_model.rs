//! A model that is followed: when a newer release lies in its place, new requests move to it.
//!
//! A candidate goes through all that any load goes through, on threads of its own. Only when it is known
//! to run does it take over; whatever is wrong with it, the one before it serves on.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ampoule_load::{LoadOptions, ReleaseRule};
use ampoule_sandbox::guest::store::thread_runtime;
use ampoule_sandbox::{Error, Result};
use ampoule_signing::{Bundle, Envelope, FilesStamp, ModelReference, SeenRelease, Sha256Digest};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::host::Host;
use crate::model::Model;
use crate::watch::{Occasion, Watch};

/// How soon a candidate that was refused is tried again, though nothing of it has changed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long the pause becomes: each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// And at least so many times as long as trying took, so that a candidate that fails late, again and
/// again, takes a tenth of a core.
const PAUSES_PER_TRY: u32 = 9;

/// A model whose newest release serves; see [`Host::follow`]. Clones are the same; when the last is
/// dropped, nobody looks for releases any more.
#[derive(Clone)]
pub struct LiveModel {
    inner: Arc<Inner>,
}

struct Inner {
    serving: Arc<RwLock<Serving>>,
    watch: Watch,
    /// Whoever stops following stops the load of a candidate too.
    _stop: DropGuard,
}

struct Serving {
    model: Model,
    refusal: Option<Refusal>,
}

/// Why what lies in a followed model's place does not serve.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    error: Arc<Error>,
    manifest: Option<Sha256Digest>,
}

impl Refusal {
    /// The stable code of [`Refusal::error`].
    #[must_use]
    pub fn code(&self) -> &str {
        self.error.code()
    }

    /// What loading it failed with.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The digest of the manifest in its envelope, whoever signed that; `None` when there is no envelope
    /// that can be read.
    #[must_use]
    pub fn manifest_digest(&self) -> Option<Sha256Digest> {
        self.manifest
    }
}

impl Host {
    /// Loads the bundle at `path`, as [`Host::load_with`] does, and follows it: a newer release of the same
    /// model that is put in its place, by a rename, by a link that is switched or over the old files, is
    /// loaded too, and new requests move to it. Requests that have begun finish on the release that they
    /// began on, which is gone when the last of them and the last [`Model`] of it is.
    ///
    /// The place is looked at every second; [`LiveModel::look_again`] does not wait for that. A candidate
    /// goes through all that a load goes through, and takes over only once it is known to run. If it is
    /// refused, the release before it serves on, [`LiveModel::refusal`] says why, and it is tried again when
    /// its files or the host's trust change, and else after pauses that grow to a minute or, if trying takes
    /// long, to nine times as long as that. An older release is refused, unless
    /// [`RollbackProtection::AllowDowngrade`](crate::RollbackProtection::AllowDowngrade) is set. The same
    /// release with other signatures is taken.
    ///
    /// # Errors
    ///
    /// As [`Host::load_with`], and `io.thread`.
    pub async fn follow(
        &self,
        path: impl Into<PathBuf>,
        mut options: LoadOptions,
    ) -> Result<LiveModel> {
        let path = path.into();
        let model = self.load_with(path.clone(), options.clone()).await?;
        options
            .expected
            .get_or_insert_with(|| ModelReference::any_version_of(model.manifest()));
        let serving = Arc::new(RwLock::new(Serving {
            model,
            refusal: None,
        }));
        let stop = CancellationToken::new();
        let mut follower = Follower {
            host: self.clone(),
            path,
            options,
            serving: Arc::clone(&serving),
            stop: stop.clone(),
            tried: None,
        };
        let watch = Watch::start("ampoule-follow", move |occasion| follower.look(occasion))?;
        Ok(LiveModel {
            inner: Arc::new(Inner {
                serving,
                watch,
                _stop: stop.drop_guard(),
            }),
        })
    }
}

impl LiveModel {
    /// The model for a new request. It stays the release that it is, however long it is kept.
    #[must_use]
    pub fn model(&self) -> Model {
        read(&self.inner.serving, |serving| serving.model.clone())
    }

    /// Why what lies in the model's place now does not serve; `None` when it does.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        read(&self.inner.serving, |serving| serving.refusal.clone())
    }

    /// Looks at the model's place at once, and tries what lies there even if it was refused a moment ago.
    /// Returns the model for new requests afterwards.
    ///
    /// # Errors
    ///
    /// Any code that a load fails with, when something in the place does not serve. The model that served
    /// before does.
    pub async fn look_again(&self) -> Result<Model, Refusal> {
        if let Err(error) = self.inner.watch.look_now().await {
            return Err(Refusal {
                error: Arc::new(error),
                manifest: None,
            });
        }
        read(&self.inner.serving, |serving| match &serving.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(serving.model.clone()),
        })
    }
}

fn read<T>(serving: &RwLock<Serving>, read: impl FnOnce(&Serving) -> T) -> T {
    read(&serving.read().unwrap_or_else(PoisonError::into_inner))
}

/// What follows one place, on a thread of its own.
struct Follower {
    host: Host,
    path: PathBuf,
    options: LoadOptions,
    serving: Arc<RwLock<Serving>>,
    stop: CancellationToken,
    tried: Option<Tried>,
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
    /// Which change of the host's trust it was held against.
    trust: u64,
}

impl Follower {
    fn look(&mut self, occasion: Occasion) {
        let bundle = match self.options.open(&self.path) {
            Ok(bundle) => bundle,
            Err(error) => {
                self.tried = None;
                self.refuse(error, None);
                return;
            }
        };
        if self.model().envelope() == bundle.envelope() {
            self.tried = None;
            self.set(|serving| serving.refusal = None);
            return;
        }
        let candidate = Candidate {
            envelope: bundle.envelope().clone(),
            files: bundle.unverified_stamp(),
            trust: self.host.trust_generation(),
        };
        let tried = (self.tried.as_ref()).filter(|tried| tried.candidate == candidate);
        let pause = match tried {
            Some(tried) if occasion == Occasion::Second && Instant::now() < tried.again => return,
            Some(tried) => LONGEST_PAUSE.min(2 * tried.pause),
            None => FIRST_PAUSE,
        };
        self.attempt(bundle, candidate, pause);
    }

    fn attempt(&mut self, bundle: Bundle, candidate: Candidate, pause: Duration) {
        let began = Instant::now();
        let Some(loaded) = self.load(bundle) else {
            return;
        };
        match loaded {
            Ok(model) => {
                self.tried = None;
                self.take_over(model);
            }
            Err(error) => {
                let manifest = Sha256Digest::of(candidate.envelope.payload());
                self.refuse(error, Some(manifest));
                self.tried = Some(Tried {
                    candidate,
                    pause,
                    again: Instant::now() + pause.max(PAUSES_PER_TRY * began.elapsed()),
                });
            }
        }
    }

    /// Loads a candidate as any bundle is loaded; `None` when nobody follows any more.
    fn load(&self, bundle: Bundle) -> Option<Result<Model>> {
        let serving = self.model();
        let rule = ReleaseRule {
            rollback: self.options.rollback,
            serving: Some(SeenRelease::of(
                serving.manifest(),
                serving.manifest_digest(),
            )),
        };
        let runtime = match thread_runtime() {
            Ok(runtime) => runtime,
            Err(error) => return Some(Err(error)),
        };
        let terms = self.options.terms();
        let load = self.host.load_silently(move || Ok(bundle), rule, terms);
        runtime.block_on(self.stop.run_until_cancelled(load))
    }

    fn take_over(&self, model: Model) {
        let manifest = model.manifest().clone();
        let digest = model.manifest_digest();
        // Dropped below, without the lock: it may be the last of its release, with gigabytes to unmap.
        let before = self.set(|serving| {
            serving.refusal = None;
            std::mem::replace(&mut serving.model, model)
        });
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
    }

    /// Tells of each candidate and each reason once.
    fn refuse(&self, error: Error, manifest: Option<Sha256Digest>) {
        let told = read(&self.serving, |serving| {
            (serving.refusal.as_ref())
                .is_some_and(|told| told.manifest == manifest && told.code() == error.code())
        });
        if !told {
            tracing::warn!(
                target: "ampoule::load",
                code = error.code(), %error,
                manifest = manifest.map(tracing::field::display),
                "refused in the place of a model that serves on"
            );
        }
        let refusal = Refusal {
            error: Arc::new(error),
            manifest,
        };
        self.set(|serving| serving.refusal = Some(refusal));
    }

    fn model(&self) -> Model {
        read(&self.serving, |serving| serving.model.clone())
    }

    fn set<T>(&self, change: impl FnOnce(&mut Serving) -> T) -> T {
        change(&mut self.serving.write().unwrap_or_else(PoisonError::into_inner))
    }
}
