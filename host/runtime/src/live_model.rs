//! A model that is followed: when a newer release lies in its place, new requests move to it.
//!
//! A candidate goes through all that any load goes through. Only when it is known to run does it take over; until then,
//! and when it is refused, the release before it serves on.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ampoule_load::LoadOptions;
use ampoule_sandbox::Result;
use ampoule_signing::ModelReference;
use tokio::sync::watch;

use crate::changes::Changes;
use crate::follower::Follower;
use crate::host::Host;
use crate::model::Model;
use crate::serving::{Refusal, Serving};
use crate::watch::Watch;

/// A model whose newest release serves; see [`Host::follow`]. Clones are the same followed model; dropping the last one
/// ends the following, and stops the load of a candidate.
#[derive(Clone)]
pub struct LiveModel {
    inner: Arc<Inner>,
}

struct Inner {
    serving: Arc<watch::Sender<Serving>>,
    watch: Watch,
}

impl Host {
    /// Loads the bundle at `path`, as [`Host::load_with`] does, and follows it: a newer release of the same
    /// model that is put in its place, by a rename, by a link that is switched or over the old files, is
    /// loaded too, and new requests move to it. Requests that have begun finish on the release that they
    /// began on, which is gone when the last of them and the last [`Model`] of it is.
    ///
    /// The place is looked at every second; [`LiveModel::look_again`] does not wait for that. One thread of the host
    /// watches all places. A place whose file system hangs, or a load that takes long, delays no other place.
    ///
    /// A candidate goes through all that a load goes through, and takes over only once it is known to run. If it is
    /// refused, the release before it serves on, [`LiveModel::refusal`] returns the reason, and it is tried again when
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
        let serving = Arc::new(watch::Sender::new(Serving {
            model,
            refusal: None,
        }));
        let follower = Follower::new(self.clone(), path, options, Arc::clone(&serving));
        let watch = self
            .watcher()
            .watch(move |occasion| follower.look(occasion))?;
        Ok(LiveModel {
            inner: Arc::new(Inner { serving, watch }),
        })
    }
}

impl LiveModel {
    /// Returns the model for a new request. It stays the release that it is, however long it is kept.
    #[must_use]
    pub fn model(&self) -> Model {
        self.inner.serving.borrow().model.clone()
    }

    /// Returns the reason for which the bundle in the model's place now does not serve; `None` when it does.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.inner.serving.borrow().refusal.clone()
    }

    /// Returns the models that take over from now on, as a stream. It holds no [`LiveModel`]: it ends when the last one
    /// is dropped.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.inner.serving.subscribe())
    }

    /// Looks at the model's place at once, and tries the bundle there even if it was refused a moment ago.
    /// Returns the model for new requests afterwards.
    ///
    /// # Errors
    ///
    /// Any code that a load fails with, when something in the place does not serve. The model that served
    /// before does.
    pub async fn look_again(&self) -> Result<Model, Refusal> {
        let looked = self.inner.watch.look_now().await;
        looked.map_err(|error| Refusal::new(error, None))?;
        let serving = self.inner.serving.borrow();
        match &serving.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(serving.model.clone()),
        }
    }
}

impl fmt::Debug for LiveModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serving = self.inner.serving.borrow();
        f.debug_struct("LiveModel")
            .field("model", &serving.model)
            .field("refusal", &serving.refusal)
            .finish_non_exhaustive()
    }
}
