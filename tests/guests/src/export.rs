//! One macro for each interface. What the guest names is exported; what it leaves out is not.
//!
//! Only WebAssembly can spell the exports' names: `ampoule:model/lifecycle@0.1.0#init` is no symbol
//! to a native linker. Elsewhere the guests are type-checked and linted, and export nothing.

/// Exports `lifecycle` with the given `init` and `describe`, or the ordinary ones.
#[macro_export]
macro_rules! export_lifecycle {
    () => {
        $crate::export_lifecycle!($crate::ordinary::init);
    };
    ($init:path) => {
        $crate::export_lifecycle!($init, $crate::ordinary::describe);
    };
    ($init:path, $describe:path) => {
        /// The guest's exports.
        pub struct Lifecycle;
        impl $crate::lifecycle::Guest for Lifecycle {
            fn init() -> Result<(), $crate::Error> {
                $init()
            }
            fn describe() -> $crate::lifecycle::ModelInfo {
                $describe()
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::model::export!(Lifecycle with_types_in $crate::model);
    };
}

/// Exports `text-tokenization` with the given `tokenize`.
#[macro_export]
macro_rules! export_text_tokenization {
    ($tokenize:path) => {
        /// The guest's exports.
        pub struct TextTokenization;
        impl $crate::text_tokenization::Guest for TextTokenization {
            fn tokenize(
                texts: Vec<String>,
            ) -> Result<Vec<$crate::text_tokenization::Tokens>, $crate::Error> {
                $tokenize(texts)
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::text_tokenizer::export!(TextTokenization with_types_in $crate::text_tokenizer);
    };
}

/// Exports `text-embedding` with the given `embed`.
#[macro_export]
macro_rules! export_text_embedding {
    ($embed:path) => {
        /// The guest's exports.
        pub struct TextEmbedding;
        impl $crate::text_embedding::Guest for TextEmbedding {
            fn embed(texts: Vec<String>) -> Result<$crate::Embeddings, $crate::Error> {
                $embed(texts)
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::text_embedder::export!(TextEmbedding with_types_in $crate::text_embedder);
    };
}

/// Exports `image-embedding` with the given `embed`.
#[macro_export]
macro_rules! export_image_embedding {
    ($embed:path) => {
        /// The guest's exports.
        pub struct ImageEmbedding;
        impl $crate::image_embedding::Guest for ImageEmbedding {
            fn embed(
                images: Vec<$crate::Image>,
            ) -> Result<$crate::image_embedding::Embeddings, $crate::Error> {
                $embed(images)
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::image_embedder::export!(ImageEmbedding with_types_in $crate::image_embedder);
    };
}

/// Exports `image-classification` with the given `classify`.
#[macro_export]
macro_rules! export_image_classification {
    ($classify:path) => {
        /// The guest's exports.
        pub struct ImageClassification;
        impl $crate::image_classification::Guest for ImageClassification {
            fn classify(
                image: $crate::Image,
                top_k: u32,
            ) -> Result<Vec<$crate::image_classification::Label>, $crate::Error> {
                $classify(image, top_k)
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::image_classifier::export!(
            ImageClassification with_types_in $crate::image_classifier
        );
    };
}

/// Exports `text-generation` with the given `generate` and the type of generation that it makes.
#[macro_export]
macro_rules! export_text_generation {
    ($generate:path => $generation:ty) => {
        /// The guest's exports.
        pub struct TextGeneration;
        impl $crate::text_generation::Guest for TextGeneration {
            type Generation = $generation;
            fn generate(
                request: $crate::text_generation::GenerationRequest,
            ) -> Result<$crate::text_generation::Generation, $crate::Error> {
                $generate(request).map($crate::text_generation::Generation::new)
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::text_generator::export!(TextGeneration with_types_in $crate::text_generator);
    };
}
