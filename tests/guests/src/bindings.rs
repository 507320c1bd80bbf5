//! The contract in `wit/`, bound one world at a time, so that a guest exports only what it wants.
//!
//! With `pub_export_macro` the section that announces the exports to the linker comes with the
//! `export!` macro, in the guest; what this library itself announces are imports, and the linker
//! drops those that the guest does not use.

#![allow(
    missing_docs,
    clippy::undocumented_unsafe_blocks,
    reason = "generated; `wit/` holds the documentation"
)]

macro_rules! worlds {
    ($($module:ident = $world:literal),* $(,)?) => {$(
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                with: { "ampoule:model/types@0.1.0": crate::types },
            });
        }
    )*};
}

/// The lifecycle, and the types that all worlds share.
pub mod model {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "model",
        pub_export_macro: true,
    });
}

worlds! {
    host_kernels_user = "host-kernels-user",
    text_tokenizer = "text-tokenizer",
    text_embedder = "text-embedder",
    image_embedder = "image-embedder",
    image_classifier = "image-classifier",
    text_generator = "text-generator",
}

/// The random source, which `std` does not show: its hash maps draw on `insecure-seed` instead.
pub(crate) mod random_source {
    wit_bindgen::generate!({
        inline: "
            package test:guests;

            world draws {
                import wasi:random/random@0.2.6;
            }

            package wasi:random@0.2.6 {
                interface random {
                    get-random-bytes: func(len: u64) -> list<u8>;
                    get-random-u64: func() -> u64;
                }
            }
        ",
        generate_all,
    });
}

/// A clock to wait for, which `std` hides behind `sleep`.
pub(crate) mod clock_source {
    wit_bindgen::generate!({
        inline: "
            package test:guests;

            world waits {
                import wasi:clocks/monotonic-clock@0.2.6;
            }

            package wasi:io@0.2.6 {
                interface poll {
                    resource pollable {
                        ready: func() -> bool;
                        block: func();
                    }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
            }

            package wasi:clocks@0.2.6 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.6.{pollable};
                    type instant = u64;
                    type duration = u64;
                    now: func() -> instant;
                    resolution: func() -> duration;
                    subscribe-instant: func(when: instant) -> pollable;
                    subscribe-duration: func(when: duration) -> pollable;
                }
            }
        ",
        generate_all,
    });
}
