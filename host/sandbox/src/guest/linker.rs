//! The linker of everything that a model can import.

use ampoule_units::text;
use wasmtime::Engine;
use wasmtime::component::{Component, HasData, InstancePre, Linker};

use crate::error::{Error, Result};
use crate::guest::state::SandboxState;
use crate::imports::bindings::ampoule::model::{assets, log, types};
use crate::imports::{kernels, wasi};

struct State;

impl HasData for State {
    type Data<'a> = &'a mut SandboxState;
}

/// Links an admitted component: with the inert WASI base and the contract's imports, and nothing else.
///
/// # Errors
///
/// `admission.import`. The interfaces' names were admitted, so a function or a type in one of them differs.
pub fn link(engine: &Engine, component: &Component) -> Result<InstancePre<SandboxState>> {
    new_linker(engine)
        .map_err(|error| Error::internal(format!("the linker: {error:#}")))?
        .instantiate_pre(component)
        .map_err(|error| Error::Import {
            name: text::sentence(&format!("{error:#}")),
        })
}

fn new_linker(engine: &Engine) -> wasmtime::Result<Linker<SandboxState>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    types::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    log::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    assets::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    kernels::add_to_linker(&mut linker)?;
    Ok(linker)
}
