//! Exports `text-embedding` and `image-classification`; its manifest declares only the former.
//!
//! Promise: what a component has, its manifest declares. Expected at load: `admission.task`.

use ampoule_test_guests::image_classification::Label;
use ampoule_test_guests::{Embeddings, Error, Image, ordinary};
use ampoule_test_guests::{export_image_classification, export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);
export_image_classification!(classify);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}

fn classify(_image: Image, _top_k: u32) -> Result<Vec<Label>, Error> {
    Ok(Vec::new())
}
