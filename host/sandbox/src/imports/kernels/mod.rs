//! The `host-kernels` import: layers that the host computes for a model that was granted it.
//!
//! `init` only says what is to be packed (`pack_list.rs`). The list stays with the compiled code, and the
//! matrices are packed when that is loaded (`packed_layers.rs`), once for all sandboxes of the model.

mod attention;
mod f16_matrix;
mod f32_matrix;
mod f32_product;
mod grant;
mod int4_matrix;
mod int4_product;
mod int8_matrix;
mod layer_spec;
mod normalization;
mod pack_list;
mod packed_layer;
mod packed_layers;
mod pool;
mod rounding;
mod row_stage;
mod rows;
mod stages;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
mod tests;
mod weights;

use std::sync::Arc;

use ampoule_signing::ByteSize;
use wasmtime::component::Linker;
use wasmtime::{StoreContextMut, Trap};

pub use grant::Capability;
pub(crate) use grant::Grants;
pub(crate) use layer_spec::LayerSpec;
pub(crate) use pack_list::PackList;
pub(crate) use packed_layers::PackedLayers;
pub(crate) use pool::KernelThreads;

use crate::bindings::ampoule::model::host_kernels as wit;
use crate::bindings::ampoule::model::types::Error as GuestError;
use crate::state::SandboxState;
use stages::Stages;

/// What a multiplication with an addition costs. In the sandbox one takes some two operators (MiniLM, 128 tokens: 2.8 billion of fuel for 1.5 billion multiplications). So a model needs less
/// fuel with the host's kernels than without, and the limits of one manifest do for both.
const FUEL_PER_MULTIPLICATION: u64 = 1;

/// What one sandbox has of the host's kernels.
#[derive(Default)]
pub(crate) enum Kernels {
    /// Nothing.
    #[default]
    NotGranted,
    /// `init` runs, and says what to pack.
    Packing(PackList),
    /// What was packed.
    Packed {
        layers: Arc<PackedLayers>,
        threads: Arc<KernelThreads>,
    },
}

/// Adds the interface to a linker. By hand: to take fuel, a function needs the store, which the bindings give
/// only where asynchronous components are compiled in.
pub(crate) fn add_to_linker(linker: &mut Linker<SandboxState>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("ampoule:model/host-kernels@0.1.0")?;
    interface.func_wrap("granted", |store: Store<'_>, (): ()| {
        Ok((!matches!(store.data().kernels, Kernels::NotGranted),))
    })?;
    interface.func_wrap("pack", |mut store: Store<'_>, (layer,): (wit::Layer,)| {
        Ok((pack(store.data_mut(), layer)?,))
    })?;
    interface.func_wrap(
        "apply",
        |store: Store<'_>, (steps, x): (Vec<wit::Step>, Vec<f32>)| Ok((apply(store, &steps, &x)?,)),
    )
}

type Store<'a> = StoreContextMut<'a, SandboxState>;

fn pack(state: &mut SandboxState, layer: wit::Layer) -> wasmtime::Result<Result<u32, GuestError>> {
    // Checking a layer costs more than calling; a guest that does nothing else is stopped here.
    state.check()?;
    let list = match &mut state.kernels {
        Kernels::Packing(list) => list,
        Kernels::NotGranted => return Ok(Err(not_granted())),
        Kernels::Packed { .. } => return Ok(Err(closed("layers are packed while `init` runs"))),
    };
    let checked = match state.assets.files() {
        Ok(files) => list.check(layer, files),
        Err(error) => Err(error),
    };
    let spec = match checked {
        Ok(spec) => spec,
        Err(error) => return Ok(Err(error)),
    };
    // A refusal is remembered, and told as `limit.memory`.
    if !state.memory.hold(spec.packed_bytes()) {
        return Err(wasmtime::Error::msg("packed layers over the memory limit"));
    }
    Ok(Ok(list.add(spec)))
}

fn apply(
    mut store: Store<'_>,
    steps: &[wit::Step],
    x: &[f32],
) -> wasmtime::Result<Result<Arc<Vec<f32>>, GuestError>> {
    let (layers, threads) = match &store.data().kernels {
        Kernels::Packed { layers, threads } => (Arc::clone(layers), Arc::clone(threads)),
        Kernels::NotGranted => return Ok(Err(not_granted())),
        Kernels::Packing(_) => return Ok(Err(closed("nothing is packed while `init` runs"))),
    };
    let found = Stages::find(&layers, steps).and_then(|stages| Ok((stages.rows(x)?, stages)));
    let (x, stages) = match found {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    charge(&mut store, stages.multiplications(x.count()))?;
    // Everything that the host holds for this call is the sandbox's own: what came in, and what comes of it. If there
    // is no room for that, the host does not look for it either.
    let held = stages.held(x.count(), threads.count());
    let given = size_of_val(x.values()) as u64 + steps.iter().map(step_bytes).sum::<u64>();
    let bytes = ByteSize::from_bytes(given.saturating_add(held.most));
    let state = store.data_mut();
    if !state.memory.hold(bytes) {
        return Err(wasmtime::Error::msg("rows over the memory limit"));
    }
    let check = state.checker();
    // One change of threads for the whole call: a product is shorter than a few of them.
    let y = threads.run(|| stages.run(x, threads.count(), || Ok(check()?)));
    state.memory.release(bytes);
    // The guest's copy of the answer is made while the host's is there, so both are counted until then.
    let y = Arc::new(y?);
    if !state
        .memory
        .hold_while_alive(ByteSize::from_bytes(held.answer), &y)
    {
        return Err(wasmtime::Error::msg("an answer over the memory limit"));
    }
    Ok(Ok(y))
}

/// The memory that a step takes here, beside what `apply` counts of its layer.
fn step_bytes(step: &wit::Step) -> u64 {
    let numbers = match step {
        wit::Step::Normalize(step) => size_of_val(&*step.weight) + size_of_val(&*step.bias),
        _ => 0,
    };
    (size_of::<wit::Step>() + numbers) as u64
}

/// Takes the fuel for the whole call, so that what cannot be paid for is not begun.
fn charge(store: &mut Store<'_>, multiplications: u64) -> wasmtime::Result<()> {
    if !store.data().profile.is_metered() {
        return Ok(());
    }
    let fuel = store.get_fuel()?;
    match fuel.checked_sub(multiplications.saturating_mul(FUEL_PER_MULTIPLICATION)) {
        Some(left) => store.set_fuel(left),
        None => {
            store.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

fn not_granted() -> GuestError {
    GuestError {
        code: "kernels.not-granted".to_owned(),
        message: "this host computes nothing for this model; `granted` says so".to_owned(),
    }
}

fn closed(message: &str) -> GuestError {
    GuestError {
        code: "kernels.closed".to_owned(),
        message: message.to_owned(),
    }
}
