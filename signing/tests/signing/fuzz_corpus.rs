//! The inputs that fuzzing kept, through the checks of the fuzzer.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/bodies/signing/mod.rs"]
mod signing;

/// Fewer would be a corpus that was lost.
const LEAST_FILES: usize = 8;

#[test]
fn what_fuzzing_kept_is_read_or_refused_as_it_has_to_be() {
    let corpora = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"));
    for (target, _) in signing::TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(corpora.join(target)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            signing::check(target, &bytes);
            // However much is missing, it is no other thing.
            for length in (0..bytes.len()).step_by(bytes.len().div_ceil(50).max(1)) {
                signing::check(target, &bytes[..length]);
            }
            files += 1;
        }
        assert!(files >= LEAST_FILES, "{files} files for {target}");
    }
}
