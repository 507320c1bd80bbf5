//! Pooling and the modules after it: from a transformer's rows to a sentence's vector.

use ampoule_guest::{Assets, Error};
use ampoule_kernels::{Precision, Scratch};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{
    in_folder, read_json, read_json_if_there, refuse_others, unserved,
};
use serde_json::{Map, Value};

use crate::dense::Dense;
use crate::finite::finite;
use crate::layer_norm::LayerNorm;
use crate::pooling::Pooling;
use crate::sentence_modules::{Kind, SentenceModules};
use crate::unit_length::scale_to_unit_length;
use crate::weights::Weights;

/// The configuration of a module is some ten lines.
const MAX_BYTES: usize = 1 << 16;

/// PyTorch's default, which the module `LayerNorm` does not change.
const LAYER_NORM_EPSILON: f32 = 1e-5;

enum Step {
    Dense(Dense),
    LayerNorm(LayerNorm),
    Normalize,
}

/// Pooling and the modules after it.
pub struct SentenceHead {
    hidden: usize,
    pooling: Pooling,
    steps: Vec<Step>,
    dimensions: usize,
    weight_bytes: usize,
}

impl SentenceHead {
    /// Reads the modules after a transformer whose rows are `hidden` wide. The first `kept` numbers of a vector
    /// are the answer where that is given.
    ///
    /// # Errors
    ///
    /// `model.config` and `model.weights` when a module's files are wrong or ask for what is not served;
    /// `asset.*`; `model.file-size`.
    pub fn load(
        assets: &Assets,
        modules: &SentenceModules,
        hidden: usize,
        kept: Option<usize>,
        precision: Precision,
    ) -> Result<Self, Error> {
        let pooling = match &modules.pooling {
            Some(folder) => Pooling::load(assets, folder, hidden)?,
            None => Pooling::mean(),
        };
        let mut dimensions = pooling.dimensions(hidden);
        let mut steps = Vec::new();
        let mut weight_bytes = 0;
        for (kind, folder) in &modules.rest {
            steps.push(match kind {
                Kind::Dense => {
                    let weights = Weights::open_in(assets, folder)?.with_precision(precision);
                    let dense = Dense::load(assets, &weights, folder, dimensions)?;
                    weight_bytes += weights.bytes();
                    dimensions = dense.outputs();
                    Step::Dense(dense)
                }
                Kind::LayerNorm => {
                    check_layer_norm(assets, folder, dimensions)?;
                    let weights = Weights::open_in(assets, folder)?;
                    let norm = LayerNorm::load(&weights, "norm", dimensions, LAYER_NORM_EPSILON)?;
                    weight_bytes += weights.bytes();
                    Step::LayerNorm(norm)
                }
                Kind::Normalize => {
                    check_normalize(assets, folder)?;
                    Step::Normalize
                }
            });
        }
        Ok(SentenceHead {
            hidden,
            pooling,
            steps,
            dimensions: kept.unwrap_or(dimensions).min(dimensions),
            weight_bytes,
        })
    }

    /// Returns the length of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns how many bytes of memory the modules' weights take.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Returns whether the rows of a prompt count.
    pub fn includes_prompt(&self) -> bool {
        self.pooling.includes_prompt()
    }

    /// Returns the vector of the rows `[tokens, hidden]`, of which the first `skipped` do not count.
    ///
    /// # Errors
    ///
    /// `input.empty` when no row counts; `model.weights` when they make something that is no number.
    pub fn apply(
        &self,
        rows: &[f32],
        skipped: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<f32>, Error> {
        if skipped * self.hidden >= rows.len() {
            return Err(Error::new(
                "input.empty",
                "expected a text of at least one token, found none",
            ));
        }
        let mut vector = self.pooling.apply(rows, self.hidden, skipped);
        for step in &self.steps {
            match step {
                Step::Dense(dense) => vector = dense.apply(&vector, scratch),
                Step::LayerNorm(norm) => norm.apply(&mut vector),
                Step::Normalize => {
                    finite(&vector)?;
                    scale_to_unit_length(&mut vector);
                }
            }
        }
        vector.truncate(self.dimensions);
        finite(&vector)?;
        Ok(vector)
    }
}

fn check_layer_norm(assets: &Assets, folder: &str, width: usize) -> Result<(), Error> {
    let file = in_folder(folder, "config.json");
    let settings: Map<String, Value> = read_json(assets, &file, MAX_BYTES)?;
    if settings.get("dimension").and_then(Value::as_u64) != Some(width as u64) {
        return Err(error::config(format!(
            "expected `dimension` {width}, which is what comes to the module, in `{file}`"
        )));
    }
    refuse_others(&settings, &["dimension"], &file)
}

/// Checks that the sentence's vector is scaled, and no other output. Older releases write no file.
fn check_normalize(assets: &Assets, folder: &str) -> Result<(), Error> {
    if folder.is_empty() {
        return Ok(());
    }
    let file = in_folder(folder, "config.json");
    let settings = read_json_if_there::<Map<String, Value>>(assets, &file, MAX_BYTES)?;
    for key in ["module_input_name", "module_output_name"] {
        if let Some(name) = settings.as_ref().and_then(|settings| settings.get(key))
            && !name.is_null()
            && name != "sentence_embedding"
        {
            return Err(unserved(&file, key, name));
        }
    }
    Ok(())
}
