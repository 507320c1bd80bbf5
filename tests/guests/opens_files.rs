//! `embed` tries to read, list, write and remove files by every kind of path, and answers with how
//! many attempts succeeded.
//!
//! Promise: a guest sees no file system. Expected: an answer of `[0.0]`, and an untouched host.

use std::fs::{self, File};

use ampoule_test_guests::log::{self, Level};
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

const PATHS: [&str; 8] = [
    "/etc/passwd",
    "/proc/self/environ",
    "component.wasm",
    "./ampoule.dsse.json",
    "../../../../../../etc/passwd",
    "/",
    ".",
    "",
];

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let mut succeeded = 0.0;
    for path in PATHS {
        let attempts = [
            ("open", File::open(path).map(drop)),
            ("read", fs::read(path).map(drop)),
            ("list", fs::read_dir(path).map(drop)),
            ("stat", fs::metadata(path).map(drop)),
            (
                "create",
                File::create(format!("{path}/ampoule-was-here")).map(drop),
            ),
            (
                "remove",
                fs::remove_file(format!("{path}/ampoule-was-here")),
            ),
        ];
        for (operation, result) in attempts {
            match result {
                Ok(()) => {
                    succeeded += 1.0;
                    log::write(Level::Error, &format!("{operation} `{path}` succeeded"));
                }
                Err(error) => log::write(Level::Debug, &format!("{operation} `{path}`: {error}")),
            }
        }
    }
    Ok(ordinary::embeddings(&texts, &[succeeded]))
}
