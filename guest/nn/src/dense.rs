//! The module `Dense` of sentence-transformers: a linear layer and an activation, on one vector.

use ampoule_guest::{Assets, Error};
use ampoule_kernels::{Activation, Scratch};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{in_folder, is_off, quoted, read_json, unserved};
use serde_json::{Map, Value};

use crate::linear::Linear;
use crate::sigmoid::sigmoid;
use crate::weights::Weights;

/// The configuration is some ten lines.
const MAX_BYTES: usize = 1 << 16;

/// Outputs, at most: far above every model.
const MAX_OUTPUTS: u64 = 1 << 24;

/// Name of a sentence's vector among the values that modules pass on.
const VECTOR: &str = "sentence_embedding";

/// An activation on each output.
#[derive(Clone, Copy)]
enum After {
    Kernel(Activation),
    Tanh,
    Sigmoid,
}

/// A residual connection, with a matrix where its ends differ in length.
enum Residual {
    None,
    Input,
    Projected(Linear),
}

/// The layer.
pub(crate) struct Dense {
    linear: Linear,
    after: After,
    residual: Residual,
    outputs: usize,
}

impl Dense {
    /// Reads `config.json` of the module's `folder`, and the tensors `linear.weight` `[outputs, inputs]`,
    /// `linear.bias` `[outputs]` and, where a residual connection has a matrix, `residual.weight`.
    ///
    /// # Errors
    ///
    /// `model.config` when the file is wrong or asks for what is not served; those of [`Weights::tensor`].
    pub(crate) fn load(
        assets: &Assets,
        weights: &Weights<'_>,
        folder: &str,
        inputs: usize,
    ) -> Result<Self, Error> {
        let file = in_folder(folder, "config.json");
        let settings: Map<String, Value> = read_json(assets, &file, MAX_BYTES)?;
        let number = |key: &str| settings.get(key).and_then(Value::as_u64);
        if number("in_features") != Some(inputs as u64) {
            return Err(error::config(format!(
                "expected `in_features` {inputs}, which is what comes to the module, in `{file}`"
            )));
        }
        let outputs = number("out_features")
            .filter(|outputs| (1..=MAX_OUTPUTS).contains(outputs))
            .ok_or_else(|| {
                error::config(format!(
                    "expected `out_features` from 1 to {MAX_OUTPUTS} in `{file}`"
                ))
            })? as usize;
        for key in ["module_input_name", "module_output_name"] {
            if let Some(name) = settings
                .get(key)
                .filter(|name| !name.is_null() && *name != VECTOR)
            {
                return Err(unserved(&file, key, name));
            }
        }
        let on =
            |key: &str, default: bool| settings.get(key).map_or(default, |value| !is_off(value));
        let shape = [outputs, inputs];
        let residual = match (on("use_residual", false), inputs == outputs) {
            (false, _) => Residual::None,
            (true, true) => Residual::Input,
            (true, false) => {
                Residual::Projected(Linear::load_without_bias(weights, &["residual"], shape)?)
            }
        };
        let linear = if on("bias", true) {
            Linear::load(weights, &["linear"], shape)?
        } else {
            Linear::load_without_bias(weights, &["linear"], shape)?
        };
        Ok(Dense {
            linear,
            after: after(settings.get("activation_function"), &file)?,
            residual,
            outputs,
        })
    }

    /// Returns the length of an output of [`apply`](Dense::apply).
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Applies the layer to the vector `x` `[inputs]`, and returns `[outputs]`.
    pub(crate) fn apply(&self, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let mut y = Vec::new();
        match self.after {
            After::Kernel(activation) => self.linear.activate(x, activation, &mut y, scratch),
            After::Tanh => {
                self.linear.apply(x, &mut y, scratch);
                y.iter_mut().for_each(|value| *value = value.tanh());
            }
            After::Sigmoid => {
                self.linear.apply(x, &mut y, scratch);
                y.iter_mut().for_each(|value| *value = sigmoid(*value));
            }
        }
        match &self.residual {
            Residual::None => {}
            Residual::Input => ampoule_kernels::add(&mut y, x),
            Residual::Projected(matrix) => matrix.add(x, &mut y, scratch),
        }
        y
    }
}

/// Returns the activation of a class of PyTorch; `Tanh` where none is named, as in sentence-transformers.
fn after(class: Option<&Value>, file: &str) -> Result<After, Error> {
    let Some(class) = class else {
        return Ok(After::Tanh);
    };
    Ok(match class.as_str() {
        Some("torch.nn.modules.activation.Tanh") => After::Tanh,
        Some("torch.nn.modules.linear.Identity") => After::Kernel(Activation::Identity),
        Some("torch.nn.modules.activation.ReLU") => After::Kernel(Activation::Relu),
        Some("torch.nn.modules.activation.GELU") => After::Kernel(Activation::Gelu),
        Some("torch.nn.modules.activation.SiLU") => After::Kernel(Activation::Silu),
        Some("torch.nn.modules.activation.Sigmoid") => After::Sigmoid,
        _ => {
            return Err(error::config(format!(
                "this guest serves `activation_function` Tanh, Identity, ReLU, GELU, SiLU and Sigmoid of PyTorch; \
                 `{file}` has {}",
                quoted(&class.to_string())
            )));
        }
    })
}
