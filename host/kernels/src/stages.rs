//! Steps of one call: checked against the packed layers, then computed in sequence.

use ampoule_sandbox::imports::bindings::ampoule::model::host_kernels as wit;
use ampoule_sandbox::imports::bindings::ampoule::model::types::Error as GuestError;
use ampoule_sandbox::imports::kernels::Held;

use crate::attention::{Heads, MAX_ROWS, MAX_WIDTH};
use crate::normalization::Normalization;
use crate::packed_layer::PackedLayer;
use crate::packed_layers::PackedLayers;
use crate::row_stage::{Activation, RowStage, RowStep};
use crate::rows::Rows;

/// Most steps of one call, which a guest chooses. A layer of an encoder has eleven.
const MAX_STEPS: usize = 256;

/// Checked steps. Invariant: each takes rows of the length that the one before gives.
pub(crate) struct Stages<'a> {
    stages: Vec<Stage<'a>>,
    inputs: usize,
    outputs: usize,
    /// Length of the kept rows, if any are kept.
    kept: Option<usize>,
}

/// Part of a call that is computed for all rows before the next part begins.
enum Stage<'a> {
    Rows(RowStage<'a>),
    Attention(Heads),
}

impl<'a> Stages<'a> {
    /// Checks the steps, and finds their layers. Errors: `kernels.step`.
    pub(crate) fn find(
        layers: &'a PackedLayers,
        steps: &'a [wit::Step],
    ) -> Result<Self, GuestError> {
        if steps.is_empty() || steps.len() > MAX_STEPS {
            return Err(wrong(format!(
                "expected from 1 to {MAX_STEPS} steps, found {}",
                steps.len()
            )));
        }
        let inputs = first_length(layers, steps)?;
        let mut found = Self {
            stages: Vec::new(),
            inputs,
            outputs: inputs,
            kept: None,
        };
        for step in steps {
            match step {
                wit::Step::Linear(step) => found.add_linear(layers, step)?,
                wit::Step::Attention(heads) => found.add_attention(*heads)?,
                wit::Step::Keep => found.keep(),
                wit::Step::AddKept => found.add_kept()?,
                wit::Step::Normalize(step) => found.add_normalization(step)?,
            }
        }
        Ok(found)
    }

    fn add_linear(
        &mut self,
        layers: &'a PackedLayers,
        step: &wit::LinearStep,
    ) -> Result<(), GuestError> {
        let layer = layer(layers, step.layer)?;
        if self.outputs != layer.inputs() {
            return Err(wrong(format!(
                "expected rows of {} for layer {}, found rows of {}",
                layer.inputs(),
                step.layer,
                self.outputs
            )));
        }
        let activation = match step.activation {
            wit::Activation::None => Activation::None,
            wit::Activation::Relu => Activation::Relu,
            wit::Activation::Gelu => Activation::Gelu,
            wit::Activation::Silu => Activation::Silu,
        };
        self.push(RowStep::Linear(layer, activation));
        self.outputs = layer.outputs();
        Ok(())
    }

    fn add_attention(&mut self, heads: u32) -> Result<(), GuestError> {
        let found = Heads::new(heads as usize, self.outputs).ok_or_else(|| {
            wrong(format!(
                "expected heads of at most {MAX_WIDTH} that share queries, keys and values of a row \
                 evenly, found {heads} heads and rows of {}",
                self.outputs
            ))
        })?;
        self.outputs = found.outputs();
        self.stages.push(Stage::Attention(found));
        Ok(())
    }

    fn keep(&mut self) {
        self.push(RowStep::Keep);
        self.kept = Some(self.outputs);
    }

    fn add_kept(&mut self) -> Result<(), GuestError> {
        if self.kept != Some(self.outputs) {
            return Err(wrong(match self.kept {
                None => "expected `keep` before `add-kept`, found no kept rows".to_owned(),
                Some(kept) => format!(
                    "expected rows of {kept} to add the kept rows to, found rows of {}",
                    self.outputs
                ),
            }));
        }
        self.push(RowStep::AddKept);
        self.kept = None;
        Ok(())
    }

    fn add_normalization(&mut self, step: &'a wit::Normalization) -> Result<(), GuestError> {
        let found = normalization(step)?;
        if self.outputs != found.length() {
            return Err(wrong(format!(
                "expected rows of {} for a normalisation, found rows of {}",
                found.length(),
                self.outputs
            )));
        }
        self.push(RowStep::Normalize(found));
        Ok(())
    }

    fn push(&mut self, step: RowStep<'a>) {
        if let Some(Stage::Rows(stage)) = self.stages.last_mut() {
            stage.push(step);
            return;
        }
        let mut stage = RowStage::new(self.outputs, self.kept.unwrap_or(0));
        stage.push(step);
        self.stages.push(Stage::Rows(stage));
    }

    /// Makes rows of the numbers `x`. Errors: `kernels.rows`.
    pub(crate) fn rows<'x>(&self, x: &'x [f32]) -> Result<Rows<'x>, GuestError> {
        let wrong = |message: String| GuestError {
            code: "kernels.rows".to_owned(),
            message,
        };
        if !x.len().is_multiple_of(self.inputs) {
            return Err(wrong(format!(
                "expected rows of {} numbers, found {} numbers, which is no multiple",
                self.inputs,
                x.len()
            )));
        }
        let rows = Rows::new(x, self.inputs);
        let attend = self
            .stages
            .iter()
            .any(|stage| matches!(stage, Stage::Attention(_)));
        if attend && rows.count() > MAX_ROWS {
            return Err(wrong(format!(
                "expected at most {MAX_ROWS} rows for attention, found {}",
                rows.count()
            )));
        }
        Ok(rows)
    }

    /// Returns the work for so many rows, in multiply-adds.
    pub(crate) fn multiplications(&self, rows: usize) -> u64 {
        let each = self.stages.iter().map(|stage| match stage {
            Stage::Rows(stage) => stage.multiplications(rows),
            Stage::Attention(heads) => heads.multiplications(rows),
        });
        each.fold(0, u64::saturating_add)
    }

    /// Counts the bytes that so many rows take: the most at any time, and those of the answer.
    ///
    /// Each stage holds its input and output rows, the rows that are kept before and after it, and its scratch. The
    /// input rows of the first stage are the caller's.
    pub(crate) fn held(&self, rows: usize, threads: usize) -> Held {
        let of_rows = |length: usize| (rows as u64).saturating_mul(length as u64);
        let (mut most, mut coming, mut kept) = (0, 0, 0);
        for stage in &self.stages {
            let (outputs, kept_after, scratch) = match stage {
                Stage::Rows(stage) => (
                    stage.outputs(),
                    stage.kept_after(),
                    stage.scratch(rows, threads),
                ),
                Stage::Attention(heads) => (heads.outputs(), kept, heads.scratch(rows, threads)),
            };
            let numbers = of_rows(coming + outputs + kept + kept_after);
            most = most.max(numbers.saturating_add(scratch));
            (coming, kept) = (outputs, kept_after);
        }
        Held {
            most: most.saturating_mul(4),
            answer: of_rows(coming).saturating_mul(4),
        }
    }

    /// Computes all stages for the rows `x`. `go_on` is called before each block; its error stops the work.
    pub(crate) fn run(
        &self,
        x: Rows<'_>,
        threads: usize,
        go_on: impl Fn() -> wasmtime::Result<()> + Sync,
    ) -> wasmtime::Result<Vec<f32>> {
        let mut current: Option<Vec<f32>> = None;
        let mut kept = Vec::new();
        for stage in &self.stages {
            let x = |length: usize| match &current {
                None => x,
                Some(current) => Rows::new(current, length),
            };
            let next = match stage {
                Stage::Rows(stage) => stage.run(x(stage.inputs()), &mut kept, threads, &go_on)?,
                Stage::Attention(heads) => heads.attend(x(heads.inputs()), threads, &go_on)?,
            };
            current = Some(next);
        }
        Ok(current.unwrap_or_default())
    }
}

/// Returns the input row length, taken from the first step that fixes one (linear or normalise). Errors:
/// `kernels.step`.
fn first_length(layers: &PackedLayers, steps: &[wit::Step]) -> Result<usize, GuestError> {
    let mut steps = steps
        .iter()
        .skip_while(|step| matches!(step, wit::Step::Keep));
    match steps.next() {
        Some(wit::Step::Linear(step)) => Ok(layer(layers, step.layer)?.inputs()),
        Some(wit::Step::Normalize(step)) => Ok(normalization(step)?.length()),
        _ => Err(wrong(
            "expected a layer or a normalisation as the first step that is not `keep`".to_owned(),
        )),
    }
}

fn layer(layers: &PackedLayers, number: u32) -> Result<&PackedLayer, GuestError> {
    let layer = layers.get(number);
    layer.ok_or_else(|| wrong(format!("found no packed layer {number}")))
}

fn normalization(step: &wit::Normalization) -> Result<Normalization<'_>, GuestError> {
    Normalization::new(&step.weight, &step.bias, step.epsilon).ok_or_else(|| {
        wrong(format!(
            "expected as many weights as biases of a normalisation, found {} and {}",
            step.weight.len(),
            step.bias.len()
        ))
    })
}

fn wrong(message: String) -> GuestError {
    GuestError {
        code: "kernels.step".to_owned(),
        message,
    }
}
