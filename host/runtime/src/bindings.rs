//! The host's side of the contract in `wit/`, generated.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; `wit/` holds the documentation"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "everything",
    imports: {
        // It takes fuel from the store.
        "ampoule:model/host-kernels.linear": store | trappable,
        default: trappable,
    },
    exports: { default: async },
});
