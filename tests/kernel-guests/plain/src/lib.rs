//! A good guest: the suite of `ampoule-kernels`, without relaxed SIMD. It is asked to tokenize the name of a
//! check, and runs it; without a text it gives the number of checks.

ampoule_guest::export_model!(ampoule_kernels_suite::Suite: TextTokenization);
