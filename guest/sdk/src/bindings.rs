//! The code that `wit-bindgen` generates from `wit/`, one module a world.
//!
//! One world a task, and each with a public export macro, because the section that tells
//! `wit-component` "this module exports text-embedding" must be in a guest only when the guest
//! does: with `pub_export_macro`, the section that is always linked names imports alone, and the
//! one with the exports is part of the macro's expansion. `wit-component` merges them.

/// What every model imports and exports.
pub mod model {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "model",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "ampoule_guest::__private::model",
        generate_all,
        // `types` serves all the task worlds, of which this world knows nothing.
        generate_unused_types: true,
    });
}

/// A model that has the host compute its linear layers.
#[cfg(feature = "host-kernels")]
pub(crate) mod host_kernels_user {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "host-kernels-user",
        with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
    });
}

/// A model that tokenizes text.
pub mod text_tokenizer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "text-tokenizer",
        pub_export_macro: true,
        export_macro_name: "export_text_tokenization",
        default_bindings_module: "ampoule_guest::__private::text_tokenizer",
        with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
    });
}

/// A model that embeds text.
pub mod text_embedder {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "text-embedder",
        pub_export_macro: true,
        export_macro_name: "export_text_embedding",
        default_bindings_module: "ampoule_guest::__private::text_embedder",
        with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
    });
}

/// A model that embeds pictures.
pub mod image_embedder {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "image-embedder",
        pub_export_macro: true,
        export_macro_name: "export_image_embedding",
        default_bindings_module: "ampoule_guest::__private::image_embedder",
        with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
    });
}

/// A model that labels pictures.
pub mod image_classifier {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "image-classifier",
        pub_export_macro: true,
        export_macro_name: "export_image_classification",
        default_bindings_module: "ampoule_guest::__private::image_classifier",
        with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
    });
}

/// A model that writes text.
pub mod text_generator {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "text-generator",
        pub_export_macro: true,
        export_macro_name: "export_text_generation",
        default_bindings_module: "ampoule_guest::__private::text_generator",
        with: { "ampoule:model/types@0.1.0": crate::bindings::model::ampoule::model::types },
    });
}
