//! The built-in model as a component: a picture and a question in, an answer out. All of it is
//! [`ampoule_vlm`], which other components can be made of too: the one that the tests compare logits
//! with, for instance.
#![forbid(unsafe_code)]

use ampoule_vlm::TinyVlm;

ampoule_guest::export_model!(
    TinyVlm: TextGeneration, ImageClassification, ImageEmbedding, TextTokenization
);
