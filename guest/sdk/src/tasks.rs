//! The tasks: one file each, with the task's trait, its types and its exports. A model implements the traits that it
//! serves and names them in [`export_model!`](crate::export_model).
//!
//! A new task is a file here, the line that makes it a module, and a line of the table.

mod image_classification;
mod image_embedding;
mod text_embedding;
mod text_generation;
mod text_tokenization;

/// Publishes each task's trait and types, and finds its exports by the trait's name.
macro_rules! tasks {
    ($($file:ident: $task:ident { $($item:ident),+ })+) => {
        $(pub use $file::{$task, $($item),+};)+

        /// The exports of each task: the generated module and the macro that exports it both have the name of the
        /// task's trait.
        #[doc(hidden)]
        pub mod __exports {
            $(
                pub use crate::tasks::$file::bindings as $task;
                pub use crate::tasks::$file::bindings::export as $task;
            )+
        }
    };
}

tasks! {
    image_classification: ImageClassification { Label }
    image_embedding: ImageEmbedding { ImageEmbeddings }
    text_embedding: TextEmbedding { Embeddings }
    text_generation: TextGeneration {
        Chunk, Content, Finish, GenerationRequest, GenerationResource, Message, Sampling
    }
    text_tokenization: TextTokenization { Tokens }
}
