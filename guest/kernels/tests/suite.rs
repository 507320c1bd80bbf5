//! The suite of checks, natively.

macro_rules! tests {
    ($($module:ident::$check:ident,)*) => {
        $(
            #[test]
            fn $check() {
                ampoule_kernels_suite::$module::$check();
            }
        )*
    };
}

ampoule_kernels_suite::for_each_check!(tests);
