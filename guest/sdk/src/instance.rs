//! The one model of a component, and its lifecycle.

use std::cell::OnceCell;

use crate::bindings::model::exports::ampoule::model::lifecycle;
use crate::{Assets, Error, Model, panic_hook};

/// The one model of a component; [`export_model!`](crate::export_model) implements it.
#[doc(hidden)]
pub trait Instance: 'static {
    /// The exported model.
    type Model: Model;

    /// Hands `use_it` the cell that holds the model once it is loaded.
    fn with_cell<R>(use_it: impl FnOnce(&OnceCell<Self::Model>) -> R) -> R;
}

/// Hands `use_it` the model, if it is loaded.
pub(crate) fn with_model<I: Instance, R>(
    use_it: impl FnOnce(&I::Model) -> Result<R, Error>,
) -> Result<R, Error> {
    I::with_cell(|cell| match cell.get() {
        Some(model) => use_it(model),
        None => Err(Error::new(
            "model.not-initialised",
            "expected `lifecycle.init` to be called first and to succeed",
        )),
    })
}

impl<I: Instance> lifecycle::Guest for I {
    fn init() -> Result<(), Error> {
        I::with_cell(|cell| {
            let initialised = || {
                Error::new(
                    "model.initialised",
                    "`lifecycle.init` was called a second time; it is called once",
                )
            };
            if cell.get().is_some() {
                return Err(initialised());
            }
            panic_hook::install();
            let model = I::Model::load(&Assets::from_host())?;
            cell.set(model).map_err(|_| initialised())?;
            #[cfg(target_arch = "wasm32")]
            crate::heap::fill_holes();
            Ok(())
        })
    }

    #[expect(
        clippy::panic,
        reason = "the contract has no error here, and no answer is right"
    )]
    fn describe() -> lifecycle::ModelInfo {
        match with_model::<I, _>(|model| Ok(model.describe())) {
            Ok(info) => info,
            Err(error) => panic!("{}: {}", error.code, error.message),
        }
    }
}
