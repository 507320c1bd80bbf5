//! From a model's traits to the component's exports.

use std::cell::{OnceCell, RefCell};
use std::marker::PhantomData;

use crate::bindings::{
    image_classifier::exports::ampoule::model::image_classification,
    image_embedder::exports::ampoule::model::image_embedding,
    model::exports::ampoule::model::lifecycle,
    text_embedder::exports::ampoule::model::text_embedding,
    text_generator::exports::ampoule::model::text_generation,
    text_tokenizer::exports::ampoule::model::text_tokenization,
};
use crate::{
    Assets, Error, Image, ImageClassification, ImageEmbedding, Model, TextEmbedding,
    TextGeneration, TextTokenization, panic_hook,
};

/// The one model of a component; [`export_model!`](crate::export_model) implements it.
#[doc(hidden)]
pub trait Instance: 'static {
    /// What is exported.
    type Model: Model;

    /// Hands `use_it` the cell that holds the model once it is loaded.
    fn with_cell<R>(use_it: impl FnOnce(&OnceCell<Self::Model>) -> R) -> R;
}

/// Hands `use_it` the model, if it is loaded.
fn with_model<I: Instance, R>(
    use_it: impl FnOnce(&I::Model) -> Result<R, Error>,
) -> Result<R, Error> {
    I::with_cell(|cell| match cell.get() {
        Some(model) => use_it(model),
        None => Err(Error::new(
            "model.not-initialised",
            "expected `lifecycle.init` to be called first and to succeed",
        )),
    })
}

impl<I: Instance> lifecycle::Guest for I {
    fn init() -> Result<(), Error> {
        I::with_cell(|cell| {
            let initialised = || {
                Error::new(
                    "model.initialised",
                    "`lifecycle.init` was called a second time; it is called once",
                )
            };
            if cell.get().is_some() {
                return Err(initialised());
            }
            panic_hook::install();
            let model = I::Model::load(&Assets::from_host())?;
            cell.set(model).map_err(|_| initialised())?;
            #[cfg(target_arch = "wasm32")]
            crate::heap::fill_holes();
            Ok(())
        })
    }

    #[expect(
        clippy::panic,
        reason = "the contract has no error here, and no answer is right"
    )]
    fn describe() -> lifecycle::ModelInfo {
        match with_model::<I, _>(|model| Ok(model.describe())) {
            Ok(info) => info,
            Err(error) => panic!("{}: {}", error.code, error.message),
        }
    }
}

impl<I: Instance> text_tokenization::Guest for I
where
    I::Model: TextTokenization,
{
    fn tokenize(texts: Vec<String>) -> Result<Vec<text_tokenization::Tokens>, Error> {
        with_model::<I, _>(|model| model.tokenize(&texts))
    }
}

impl<I: Instance> text_embedding::Guest for I
where
    I::Model: TextEmbedding,
{
    fn embed(texts: Vec<String>) -> Result<text_embedding::Embeddings, Error> {
        with_model::<I, _>(|model| model.embed(&texts))
    }
}

impl<I: Instance> image_embedding::Guest for I
where
    I::Model: ImageEmbedding,
{
    fn embed(images: Vec<Image>) -> Result<image_embedding::Embeddings, Error> {
        with_model::<I, _>(|model| model.embed(&images))
    }
}

impl<I: Instance> image_classification::Guest for I
where
    I::Model: ImageClassification,
{
    fn classify(image: Image, top_k: u32) -> Result<Vec<image_classification::Label>, Error> {
        with_model::<I, _>(|model| model.classify(image, top_k))
    }
}

/// The resource behind one generation: none once it has failed or said its last.
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

    fn generate(
        request: text_generation::GenerationRequest,
    ) -> Result<text_generation::Generation, Error> {
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
    fn next(&self) -> Result<Option<text_generation::Chunk>, Error> {
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

/// Exports a model and the tasks that it serves from a component.
///
/// ```text
/// ampoule_guest::export_model!(Minilm: TextEmbedding, TextTokenization);
/// ```
///
/// The tasks are the names of this crate's traits. Use it once, in the crate that is built as a
/// `cdylib`. On other targets than `wasm32` it only checks that the model implements the traits.
#[macro_export]
macro_rules! export_model {
    ($model:ty $(: $($task:ident),+ $(,)?)?) => {
        const _: () = {
            ::std::thread_local! {
                // A component has one thread; this is a plain static there.
                static MODEL: ::std::cell::OnceCell<$model> = const { ::std::cell::OnceCell::new() };
            }

            struct Component;

            impl $crate::__private::Instance for Component {
                type Model = $model;

                fn with_cell<R>(
                    use_it: impl ::std::ops::FnOnce(&::std::cell::OnceCell<$model>) -> R,
                ) -> R {
                    MODEL.with(use_it)
                }
            }

            // Elsewhere the names of the exports, which hold `@`, confuse linkers.
            #[cfg(target_arch = "wasm32")]
            $crate::__private::model::export_lifecycle!(
                Component with_types_in $crate::__private::model
            );
            $($($crate::__export_task!($task Component);)+)?
        };
    };
}

/// Exports one task of `$component`, by the name of its trait.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_task {
    (TextTokenization $component:ident) => {
        $crate::__export_world!($component TextTokenization text_tokenizer export_text_tokenization);
    };
    (TextEmbedding $component:ident) => {
        $crate::__export_world!($component TextEmbedding text_embedder export_text_embedding);
    };
    (ImageEmbedding $component:ident) => {
        $crate::__export_world!($component ImageEmbedding image_embedder export_image_embedding);
    };
    (ImageClassification $component:ident) => {
        $crate::__export_world!(
            $component ImageClassification image_classifier export_image_classification
        );
    };
    (TextGeneration $component:ident) => {
        $crate::__export_world!($component TextGeneration text_generator export_text_generation);
    };
}

/// Exports the world of one task, whose trait the model must implement.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_world {
    ($component:ident $task:ident $world:ident $export:ident) => {
        const _: () = {
            const fn serves<M: $crate::$task>() {}
            serves::<<$component as $crate::__private::Instance>::Model>();
        };
        #[cfg(target_arch = "wasm32")]
        $crate::__private::$world::$export!($component with_types_in $crate::__private::$world);
    };
}
