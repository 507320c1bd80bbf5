//! Tasks: a file for each, which holds the request, the answer, and the way from one to the other.
//!
//! The table of tasks is [`for_each_task`](ampoule_sandbox::for_each_task). A new task is a row there, its interface in
//! `wit/`, and a file here. What several tasks share stands beside them: the checks of requests against the host's
//! limits (`input`), the checks of answers against the contract (`answer_check`), pictures and rows of vectors.

pub(crate) mod answer;
mod answer_check;
pub(crate) mod chunks;
pub(crate) mod image;
pub(crate) mod image_classification;
pub(crate) mod image_embedding;
mod image_header;
pub(crate) mod input;
pub(crate) mod text_embedding;
pub(crate) mod text_generation;
pub(crate) mod text_tokenization;
mod vectors;
