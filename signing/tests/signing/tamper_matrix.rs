//! The tamper matrix: every way to change what was signed, generated from real documents, each with the
//! end that a stated rule gives it.
//!
//! ```text
//! document         what is tampered with, and the ways in which hosts read it
//!   bundle         a manifest with its files: in a directory, in one packed file, in memory
//!   root           a fleet's root: the installed one, a first one, a successor
//!   revocations    a list of what is revoked: the installed one, the next one
//! fields           every field × {removed, changed, duplicated, of another type, huge, …}, under the old
//!                  signatures and signed anew by the right keys
//! envelope_bytes   every region of the envelope × {flip, cut, extend}
//! file_bytes       every region of a bundle's files and of its packed form × {flip, cut, extend}
//! signature_lists  every list of signatures × {empty, duplicated, foreign key, weak key, larger S, …}
//! tally            the rows, counted, and those that did not end as they had to
//! ```
//!
//! The rules know nothing of the library's code. Where bytes are changed under signatures, these refuse
//! them. Where the right keys sign a changed document, what decides is the kind of change and a small
//! table of the format: which fields may be left out, which say what a file is, and so on.

mod bundle;
mod document;
mod envelope_bytes;
mod fields;
mod file_bytes;
mod json_text;
mod mutation;
mod revocations;
mod root;
mod signature_lists;
mod signer;
mod tally;

use std::panic::resume_unwind;
use std::thread;

use document::Document;
use tally::Tally;

/// Every kind of document that is signed.
const DOCUMENTS: [fn() -> Document; 3] = [bundle::document, root::document, revocations::document];

/// The changes of each of them.
const PARTS: [fn(&Document, &mut Tally); 4] = [
    document::unchanged,
    fields::tamper,
    envelope_bytes::tamper,
    signature_lists::tamper,
];

#[test]
fn every_row_of_the_tamper_matrix_ends_as_it_has_to() {
    let total = thread::scope(|scope| {
        let mut running = Vec::new();
        for part in PARTS {
            for document in DOCUMENTS {
                running.push(scope.spawn(move || {
                    let mut tally = Tally::default();
                    part(&document(), &mut tally);
                    tally
                }));
            }
        }
        running.push(scope.spawn(file_bytes::tamper));
        let mut total = Tally::default();
        for part in running {
            total.add(part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        total
    });
    println!("{total}");
    total.assert_as_expected();
    assert!(total.rows() >= 30_000, "{total}");
}
