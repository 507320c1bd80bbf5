//! The inputs that fuzzing kept, and neighbours of them, through the checks of the fuzzer.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/bodies/access/mod.rs"]
mod bodies;

/// Fewer would be a corpus that was lost.
const LEAST_FILES: usize = 8;

#[test]
fn what_fuzzing_kept_and_what_is_near_to_it_is_read_as_other_readers_do_or_refused() {
    let corpora = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
    for (target, _) in bodies::TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(corpora.join(target)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bodies::check(target, &bytes);
            for place in 0..bytes.len() {
                bodies::check(target, &bytes[..place]);
                for other in [
                    b'"',
                    b'}',
                    b',',
                    b'0',
                    b'9',
                    b'\\',
                    b' ',
                    0xff,
                    bytes[place] ^ 1,
                ] {
                    let mut changed = bytes.clone();
                    changed[place] = other;
                    bodies::check(target, &changed);
                }
                // Twice from here on, so that members stand twice.
                let twice = [&bytes, &bytes[place..]].concat();
                bodies::check(target, &twice);
            }
            files += 1;
        }
        assert!(files >= LEAST_FILES, "{files} files for {target}");
    }
}
