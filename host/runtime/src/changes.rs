//! The releases that take over in a followed model's place, as a stream.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::watch;
use tokio_util::sync::ReusableBoxFuture;

use crate::model::Model;
use crate::serving::Serving;

type Receiver = watch::Receiver<Serving>;

/// A stream of the models that take over; see [`LiveModel::changes`](crate::LiveModel::changes).
///
/// The stream keeps the newest model loaded, and following going only for as long as there is a
/// [`LiveModel`](crate::LiveModel); it ends with the last.
#[derive(Debug)]
pub struct Changes {
    /// The wait for the next model; it returns the receiver for the wait after it.
    waiting: ReusableBoxFuture<'static, (Receiver, Option<Model>)>,
}

impl Changes {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            waiting: ReusableBoxFuture::new(next_of(receiver)),
        }
    }

    /// Waits for the next model that takes over. Of those that took over since the last call, the newest is returned.
    /// `None` once nobody follows any more. Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<Model> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Model>> {
        let (receiver, model) = ready!(self.waiting.poll(context));
        self.waiting.set(next_of(receiver));
        Poll::Ready(model)
    }
}

impl Stream for Changes {
    type Item = Model;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Model>> {
        self.poll(context)
    }
}

async fn next_of(mut receiver: Receiver) -> (Receiver, Option<Model>) {
    let changed = receiver.changed().await;
    let model = changed
        .is_ok()
        .then(|| receiver.borrow_and_update().model.clone());
    (receiver, model)
}
