//! A request on its way to a sandbox: accepted, then begun.

use std::sync::Arc;
use std::time::Instant;

use ampoule_sandbox::guest::state::SandboxState;
use ampoule_sandbox::imports::bindings::ampoule::model::types::Error as GuestError;
use ampoule_sandbox::imports::clocks::ClockResolution;
use ampoule_sandbox::{Budget, Limits, Result};
use ampoule_units::ByteSize;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::places::{Place, Places};
use crate::sandbox::request_sandbox::Sandbox;
use crate::sandbox::served_model::ServedModel;

/// The work of a request in its sandbox: one call of an export.
pub(crate) trait Call<T>:
    AsyncFnOnce(
        &mut Store<SandboxState>,
        &Instance,
    ) -> wasmtime::Result<std::result::Result<T, GuestError>>
    + Send
    + 'static
{
}

impl<T, F> Call<T> for F where
    F: AsyncFnOnce(
            &mut Store<SandboxState>,
            &Instance,
        ) -> wasmtime::Result<std::result::Result<T, GuestError>>
        + Send
        + 'static
{
}

/// A request that has been accepted and not begun.
pub(crate) struct NewRequest {
    model: Arc<ServedModel>,
    places: Arc<Places>,
    /// The place for its sandbox, if it has one already.
    place: Option<Place>,
    log: ByteSize,
    clock: ClockResolution,
    budget: Budget,
    expires: Instant,
}

impl NewRequest {
    /// Accepts a request to `model` that may cost `budget`, to be over at `expires`.
    pub(crate) fn new(
        model: Arc<ServedModel>,
        places: Arc<Places>,
        limits: &Limits,
        clock: ClockResolution,
        budget: Budget,
        expires: Instant,
    ) -> Self {
        Self {
            model,
            places,
            place: None,
            log: limits.log,
            clock,
            budget,
            expires,
        }
    }

    /// Gives the request a place for its sandbox.
    pub(crate) fn with_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Returns when the request must be over.
    pub(crate) fn expires(&self) -> Instant {
        self.expires
    }

    pub(crate) fn model(&self) -> &Arc<ServedModel> {
        &self.model
    }

    /// Makes a sandbox, if there is a place for one.
    pub(crate) async fn start_sandbox(&self, cancelled: CancellationToken) -> Result<Sandbox> {
        self.start_sandbox_in(self.places.try_take()?, cancelled)
            .await
    }

    async fn start_sandbox_in(
        &self,
        place: Place,
        cancelled: CancellationToken,
    ) -> Result<Sandbox> {
        let model = Arc::clone(&self.model);
        Sandbox::start(model, self.budget, self.log, self.clock, place, cancelled).await
    }

    /// Makes the sandbox and runs the first call. Returns the sandbox, what the call returned, and
    /// when the request must be over.
    pub(crate) async fn begin<T>(
        mut self,
        cancelled: CancellationToken,
        call: impl Call<T>,
    ) -> Result<(Sandbox, T, Instant)> {
        let place = match self.place.take() {
            Some(place) => place,
            None => self.places.try_take()?,
        };
        let mut sandbox = self.start_sandbox_in(place, cancelled.clone()).await?;
        // Running `init` has a budget of its own: the time that it took is given back.
        let expires = self.expires + sandbox.start_wall();
        sandbox.begin_request(expires)?;
        let (sandbox, output) = sandbox.call(cancelled, call).await?;
        Ok((sandbox, output, expires))
    }
}
