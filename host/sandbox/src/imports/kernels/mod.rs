//! The `host-kernels` import: layers that the host computes for a model that was granted it.
//!
//! `init` only lists the layers to pack ([`PackList`]). The list stays with the compiled code. The serving half packs the
//! matrices once for all sandboxes of the model, as [`PackedKernels`].

mod layer_spec;
mod pack_list;

use std::fmt;
use std::sync::Arc;

use ampoule_units::ByteSize;
use wasmtime::component::Linker;
use wasmtime::{StoreContextMut, Trap};

pub use layer_spec::{Element, Format, INT4_BLOCK, LayerSpec, PartSpec, TensorSpec};
pub use pack_list::{PackList, packed_bytes};

use crate::contract::{CONTRACT_VERSION, PACKAGE};
use crate::imports::assets::Assets;
use crate::imports::bindings::ampoule::model::host_kernels as wit;
use crate::imports::bindings::ampoule::model::types::Error as GuestError;
use crate::memory::MemoryBudget;

/// Fuel of one multiplication with its addition. In the sandbox one takes some two operators (MiniLM, 128 tokens: 2.8
/// billion of fuel for 1.5 billion multiplications). A model thus needs less fuel with the host's kernels than without,
/// and one manifest's limits do for both.
const FUEL_PER_MULTIPLICATION: u64 = 1;

/// Packed layers of one model, shared by all of its sandboxes.
pub trait PackedKernels: Send + Sync {
    /// Returns the memory that they take, as it is counted against the limits of each sandbox.
    fn bytes(&self) -> ByteSize;

    /// Finds the layers that `steps` name, and checks that each step fits the one before it and the first one `x`.
    ///
    /// # Errors
    ///
    /// `kernels.step`, for the guest.
    fn plan<'a>(
        &'a self,
        steps: &'a [wit::Step],
        x: &'a [f32],
    ) -> Result<Box<dyn KernelPlan + 'a>, GuestError>;
}

/// A checked call that has not begun.
pub trait KernelPlan {
    /// Returns the number of multiplications.
    fn multiplications(&self) -> u64;

    /// Returns the memory that the call takes beside its input.
    fn held(&self) -> Held;

    /// Computes the output rows. `check` is called every few milliseconds, on any thread; the call fails with it.
    ///
    /// # Errors
    ///
    /// Those of `check`.
    fn run(self: Box<Self>, check: StopCheck<'_>) -> wasmtime::Result<Vec<f32>>;
}

/// Fails once the guest may not go on.
pub type StopCheck<'a> = &'a (dyn Fn() -> wasmtime::Result<()> + Send + Sync);

/// Host memory of one call, in bytes, beside the input rows.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The most at any time.
    pub most: u64,
    /// The answer.
    pub answer: u64,
}

/// The part of the host's kernels that one sandbox has.
#[derive(Default)]
pub enum Kernels {
    /// None.
    #[default]
    NotGranted,
    /// `init` runs, and lists layers to pack.
    Packing(PackList),
    /// The packed layers.
    Packed(Arc<dyn PackedKernels>),
}

/// The view of a sandbox's state that kernels need.
pub struct KernelsCtx<'a> {
    /// The kernels themselves.
    pub kernels: &'a mut Kernels,
    /// The model's files, while `init` runs.
    pub assets: &'a Assets,
    /// The sandbox's memory.
    pub memory: &'a mut MemoryBudget,
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGranted => "NotGranted",
            Self::Packing(_) => "Packing",
            Self::Packed(_) => "Packed",
        })
    }
}

impl fmt::Debug for KernelsCtx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelsCtx")
            .field("kernels", &self.kernels)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// The state of a store whose guest may import `host-kernels`.
pub trait KernelsView: 'static {
    /// Returns the part that the kernels need.
    fn kernels(&mut self) -> KernelsCtx<'_>;

    /// Returns a check of whether the guest may go on, for any thread.
    fn stop_check(&self) -> Box<dyn Fn() -> wasmtime::Result<()> + Send + Sync>;

    /// Tells whether guests use up fuel.
    fn is_metered(&self) -> bool;
}

/// Adds the interface to a linker. By hand: to take fuel, a function needs the store, which the bindings give
/// only where asynchronous components are compiled in.
pub fn add_to_linker<T: KernelsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(&format!("{PACKAGE}/host-kernels@{CONTRACT_VERSION}"))?;
    interface.func_wrap("granted", |mut store: StoreContextMut<'_, T>, (): ()| {
        let is_granted = !matches!(store.data_mut().kernels().kernels, Kernels::NotGranted);
        Ok((is_granted,))
    })?;
    interface.func_wrap(
        "pack",
        |mut store: StoreContextMut<'_, T>, (layer,): (wit::Layer,)| {
            // Checking a layer takes longer than the call, so a guest that only asks for layers is stopped here.
            (store.data().stop_check())()?;
            Ok((pack(store.data_mut().kernels(), layer)?,))
        },
    )?;
    interface.func_wrap(
        "apply",
        |store: StoreContextMut<'_, T>, (steps, x): (Vec<wit::Step>, Vec<f32>)| {
            Ok((apply(store, &steps, &x)?,))
        },
    )
}

fn pack(context: KernelsCtx<'_>, layer: wit::Layer) -> wasmtime::Result<Result<u32, GuestError>> {
    let list = match context.kernels {
        Kernels::Packing(list) => list,
        Kernels::NotGranted => return Ok(Err(not_granted())),
        Kernels::Packed(_) => return Ok(Err(closed("layers are packed while `init` runs"))),
    };
    let checked = match context.assets.files() {
        Ok(files) => list.check(layer, files),
        Err(error) => Err(error),
    };
    let spec = match checked {
        Ok(spec) => spec,
        Err(error) => return Ok(Err(error)),
    };
    // The refusal is remembered, and reported as `limit.memory`.
    if !context.memory.hold(spec.packed_bytes()) {
        return Err(wasmtime::Error::msg("packed layers over the memory limit"));
    }
    Ok(Ok(list.add(spec)))
}

fn apply<T: KernelsView>(
    mut store: StoreContextMut<'_, T>,
    steps: &[wit::Step],
    x: &[f32],
) -> wasmtime::Result<Result<Arc<Vec<f32>>, GuestError>> {
    let layers = match store.data_mut().kernels().kernels {
        Kernels::Packed(layers) => Arc::clone(layers),
        Kernels::NotGranted => return Ok(Err(not_granted())),
        Kernels::Packing(_) => return Ok(Err(closed("nothing is packed while `init` runs"))),
    };
    let plan = match layers.plan(steps, x) {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    charge(&mut store, plan.multiplications())?;
    // Input and output of the call count as the sandbox's memory. They are counted before the host allocates them.
    let held = plan.held();
    let given = size_of_val(x) as u64 + steps.iter().map(step_bytes).sum::<u64>();
    let bytes = ByteSize::from_bytes(given.saturating_add(held.most));
    if !store.data_mut().kernels().memory.hold(bytes) {
        return Err(wasmtime::Error::msg("rows over the memory limit"));
    }
    let y = plan.run(&store.data().stop_check());
    let memory = store.data_mut().kernels().memory;
    memory.release(bytes);
    // The guest's copy of the answer is made while the host's exists, so both are counted until then.
    let y = Arc::new(y?);
    if !memory.hold_while_alive(ByteSize::from_bytes(held.answer), &y) {
        return Err(wasmtime::Error::msg("an answer over the memory limit"));
    }
    Ok(Ok(y))
}

/// Returns the memory of a step's own numbers.
fn step_bytes(step: &wit::Step) -> u64 {
    let numbers = match step {
        wit::Step::Normalize(step) => size_of_val(&*step.weight) + size_of_val(&*step.bias),
        _ => 0,
    };
    (size_of::<wit::Step>() + numbers) as u64
}

/// Takes the fuel for the whole call before it begins.
fn charge<T: KernelsView>(
    store: &mut StoreContextMut<'_, T>,
    multiplications: u64,
) -> wasmtime::Result<()> {
    if !store.data().is_metered() {
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
