//! The linker of everything that a model can import.

use wasmtime::component::{HasData, Linker};

use crate::guest::state::SandboxState;
use crate::imports::bindings::ampoule::model::{assets, log, types};
use crate::imports::{kernels, wasi};

struct State;

impl HasData for State {
    type Data<'a> = &'a mut SandboxState;
}

/// Makes a linker of the inert WASI base and the contract's imports, and nothing else.
pub fn new_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<SandboxState>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    types::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    log::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    assets::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    kernels::add_to_linker(&mut linker)?;
    Ok(linker)
}
