//! The table of what hostile guests are stopped with: each file's tests are made from its rows.

use ampoule::Error;

/// A promise, the codes that keep it, and the attack on it.
pub(crate) struct Row {
    pub(crate) promise: &'static str,
    pub(crate) codes: &'static [&'static str],
    attack: fn() -> Vec<Error>,
}

impl Row {
    pub(crate) const fn new(
        promise: &'static str,
        codes: &'static [&'static str],
        attack: fn() -> Vec<Error>,
    ) -> Self {
        Self {
            promise,
            codes,
            attack,
        }
    }

    /// Attacks. Each error has to have one of the codes, and each code has to be seen.
    pub(crate) fn hold(&self) {
        let errors = (self.attack)();
        for error in &errors {
            assert!(
                self.codes.contains(&error.code()),
                "{} came, {:?} was expected: {error}",
                error.code(),
                self.codes
            );
        }
        for code in self.codes {
            assert!(
                errors.iter().any(|error| error.code() == *code),
                "{code} never came"
            );
        }
    }
}

/// Makes a file's rows, `PROMISES`, and a test of each: its name is the promise, what follows `=>` are the
/// codes, and its body attacks and returns the errors that came of it.
macro_rules! promises {
    ($(
        $(#[doc = $doc:literal])*
        #[test]
        fn $promise:ident() => $($code:literal),+ $attack:block
    )+) => {
        pub(crate) const PROMISES: &[crate::table::Row] = &[$(
            crate::table::Row::new(stringify!($promise), &[$($code),+], || Vec::from($attack)),
        )+];
        $(
            $(#[doc = $doc])*
            #[test]
            fn $promise() {
                let row = PROMISES.iter().find(|row| row.promise == stringify!($promise));
                row.unwrap().hold();
            }
        )+
    };
}
pub(crate) use promises;

#[test]
fn at_least_forty_pairs_of_a_promise_and_a_code_are_held() {
    let files: [&[Row]; 13] = [
        crate::admission::PROMISES,
        crate::canonical_abi::PROMISES,
        crate::contract::PROMISES,
        crate::failures::PROMISES,
        crate::generation::PROMISES,
        crate::handing_over::PROMISES,
        crate::handles::PROMISES,
        crate::host_kernels::PROMISES,
        crate::memory::PROMISES,
        crate::reach::PROMISES,
        crate::shape::PROMISES,
        crate::streams::PROMISES,
        crate::time::PROMISES,
    ];
    let mut pairs: Vec<_> = files
        .iter()
        .flat_map(|rows| rows.iter())
        .flat_map(|row| row.codes.iter().map(|code| (row.promise, *code)))
        .collect();
    pairs.sort_unstable();
    let all = pairs.len();
    pairs.dedup();
    assert_eq!(pairs.len(), all, "a pair stands in the table twice");
    for (promise, code) in &pairs {
        println!("{promise}: {code}");
    }
    println!("{} pairs", pairs.len());
    assert!(pairs.len() >= 40, "{}", pairs.len());
}
