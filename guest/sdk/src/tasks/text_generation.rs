//! Messages in, text out, a piece at a time.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::world;
use crate::instance::{Instance, with_model};
use crate::{Error, Model};

pub use bindings::exports::ampoule::model::text_generation::{
    Chunk, Content, Finish, GenerationRequest, Message, Sampling,
};

use bindings::exports::ampoule::model::text_generation;

world!(pub mod "text-generator");

/// Messages in, text out, a piece at a time.
pub trait TextGeneration: Model {
    /// The state of one generation in progress: the tokens so far, caches, the sampler.
    ///
    /// Each call gets the model besides, so the state holds no reference to it.
    type Generation: 'static;

    /// Starts a generation.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn generate(&self, request: GenerationRequest) -> Result<Self::Generation, Error>;

    /// Returns the next chunk, or none once the last one, which carries the
    /// [`finish`](Chunk::finish), was returned.
    ///
    /// Limits apply between two calls, so a chunk should be as little as the model can say: one
    /// token, or as many as make a whole character.
    ///
    /// # Errors
    ///
    /// `input.*` or `model.*`. An error ends the generation: it is not asked for another chunk.
    fn next(&self, generation: &mut Self::Generation) -> Result<Option<Chunk>, Error>;
}

/// The resource behind one generation. Its state is dropped once it has failed or said its last.
#[doc(hidden)]
pub struct GenerationResource<I: Instance>
where
    I::Model: TextGeneration,
{
    state: RefCell<Option<<I::Model as TextGeneration>::Generation>>,
    instance: PhantomData<I>,
}

impl<I: Instance> GenerationResource<I>
where
    I::Model: TextGeneration,
{
    /// A generation that has said nothing yet.
    pub fn new(state: <I::Model as TextGeneration>::Generation) -> Self {
        GenerationResource {
            state: RefCell::new(Some(state)),
            instance: PhantomData,
        }
    }
}

impl<I: Instance> text_generation::Guest for I
where
    I::Model: TextGeneration,
{
    type Generation = GenerationResource<I>;

    fn generate(request: GenerationRequest) -> Result<text_generation::Generation, Error> {
        let state = with_model::<I, _>(|model| model.generate(request))?;
        Ok(text_generation::Generation::new(
            GenerationResource::<I>::new(state),
        ))
    }
}

impl<I: Instance> text_generation::GuestGeneration for GenerationResource<I>
where
    I::Model: TextGeneration,
{
    fn next(&self) -> Result<Option<Chunk>, Error> {
        let mut state = self.state.borrow_mut();
        let Some(generation) = state.as_mut() else {
            return Ok(None);
        };
        let chunk = with_model::<I, _>(|model| model.next(generation));
        if !matches!(&chunk, Ok(Some(chunk)) if chunk.finish.is_none()) {
            *state = None;
        }
        chunk
    }
}
