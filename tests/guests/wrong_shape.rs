//! `embed` answers in a shape that the contract rules out. The first text says which: `few-values`,
//! `many-values`, `few-flags`, `many-flags`, `huge-dimensions` (whose product with the number of
//! texts overflows 32 bits) or `other-batch` (one text too many, consistent in itself).
//!
//! Promise: a caller gets vectors of the shape that they say they have, or an error. Expected:
//! `guest.answer`; an ordinary answer for any other text.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let mut answer = ordinary::embeddings(&texts, &[0.6, 0.8]);
    match texts.first().map(String::as_str) {
        Some("few-values") => drop(answer.values.pop()),
        Some("many-values") => answer.values.push(1.0),
        Some("few-flags") => drop(answer.truncated.pop()),
        Some("many-flags") => answer.truncated.push(true),
        Some("huge-dimensions") => answer.dimensions = u32::MAX,
        Some("other-batch") => {
            answer.values.extend([0.6, 0.8]);
            answer.truncated.push(false);
        }
        _ => {}
    }
    Ok(answer)
}
