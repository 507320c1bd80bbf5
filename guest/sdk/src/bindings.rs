//! The code that `wit-bindgen` generates from `wit/`, one module a world.
//!
//! Each task has a world of its own, in its file in `tasks/`, with a public export macro. The section that tells
//! `wit-component` "this module exports text-embedding" must be in a guest only when the guest does: with
//! `pub_export_macro`, the section that is always linked names imports alone, and the one with the exports is part
//! of the macro's expansion. `wit-component` merges them.

/// The lifecycle, and the types that all worlds share.
pub mod model {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "model",
        pub_export_macro: true,
        export_macro_name: "export",
        generate_all,
        // `types` serves all the task worlds, of which this world knows nothing.
        generate_unused_types: true,
    });
}

/// Generates the module `bindings` for one more world: its interfaces, and the macro `bindings::export` where it
/// exports any.
macro_rules! world {
    ($visibility:vis mod $world:literal) => {
        #[allow(
            missing_docs,
            reason = "generated: documented only where `wit/` has an item for it"
        )]
        $visibility mod bindings {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                export_macro_name: "export",
                with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
            });
        }
    };
}

pub(crate) use world;
