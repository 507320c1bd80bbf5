//! Holds each way in which native code gets in to one place of the sources.
//!
//! Nothing can check bytes for being native code of our own compiler. So whoever takes code from elsewhere names who
//! vouches for it, and a new place that does so has to be written down here.

use crate::rust_files;

/// Words that vouch for code, each with the only file that may say them. The crate that defines them is left out.
const VOUCHERS: [(&str, &str); 3] = [
    ("Voucher::CompileProcess", "host/load/src/code/process.rs"),
    (
        "Voucher::AuthenticatedCache",
        "host/load/src/code/cache/open_cache.rs",
    ),
    (
        "LoadingProcess::at_the_other_end_of",
        "tests/src/bin/serve_received.rs",
    ),
];

#[test]
fn native_code_is_vouched_for_in_one_place_for_each_origin() {
    let mut found = Vec::new();
    for path in rust_files::below(&rust_files::root()) {
        let name = rust_files::name(&path);
        if name.starts_with("host/sandbox/") || name == file!() {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for (word, _) in VOUCHERS {
            found.extend(
                source
                    .matches(word)
                    .map(|word| (word.to_owned(), name.clone())),
            );
        }
    }
    found.sort();
    let mut expected = VOUCHERS.map(|(word, file)| (word.to_owned(), file.to_owned()));
    expected.sort();
    assert_eq!(found, expected);
}
