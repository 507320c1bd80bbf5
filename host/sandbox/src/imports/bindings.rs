//! The host's side of the contract in `wit/`, generated.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; `wit/` holds the documentation"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "everything",
    imports: { default: trappable },
    exports: { default: async },
});
