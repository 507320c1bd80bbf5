//! The steps of one call: checked against the layers that there are, and done one after another.

use super::attention::{Heads, MAX_ROWS};
use super::linear::{Activation, LinearStep, linear};
use super::packed_layers::PackedLayers;
use super::rows::Rows;
use crate::bindings::ampoule::model::host_kernels as wit;
use crate::bindings::ampoule::model::types::Error as GuestError;

/// Steps of one call. A layer of an encoder has five.
const MAX_STEPS: usize = 16;

/// Steps that were found right, each fitting the one before it.
pub(super) struct Stages<'a> {
    stages: Vec<Stage<'a>>,
    inputs: usize,
    outputs: usize,
}

/// What is done to all rows before the next is begun.
enum Stage<'a> {
    /// Layers one after another, through which rows go in blocks. At least one.
    Linear(Vec<LinearStep<'a>>),
    Attention(Heads),
}

impl<'a> Stages<'a> {
    /// The steps with the layers of their numbers. Errors: `kernels.step`.
    pub(super) fn find(layers: &'a PackedLayers, steps: &[wit::Step]) -> Result<Self, GuestError> {
        if steps.is_empty() || steps.len() > MAX_STEPS {
            return Err(wrong(format!(
                "expected from 1 to {MAX_STEPS} steps, found {}",
                steps.len()
            )));
        }
        let mut found = Self {
            stages: Vec::new(),
            inputs: 0,
            outputs: 0,
        };
        for step in steps {
            match step {
                wit::Step::Linear(step) => found.add_linear(layers, step)?,
                wit::Step::Attention(heads) => found.add_attention(*heads)?,
            }
        }
        Ok(found)
    }

    fn add_linear(
        &mut self,
        layers: &'a PackedLayers,
        step: &wit::LinearStep,
    ) -> Result<(), GuestError> {
        let layer = layers
            .get(step.layer)
            .ok_or_else(|| wrong(format!("there is no layer {}", step.layer)))?;
        if self.stages.is_empty() {
            self.inputs = layer.inputs();
        } else if self.outputs != layer.inputs() {
            return Err(wrong(format!(
                "layer {} has {} inputs, and {} come to it",
                step.layer,
                layer.inputs(),
                self.outputs
            )));
        }
        self.outputs = layer.outputs();
        let step = LinearStep {
            layer,
            activation: match step.activation {
                wit::Activation::None => Activation::None,
                wit::Activation::Relu => Activation::Relu,
                wit::Activation::Gelu => Activation::Gelu,
                wit::Activation::Silu => Activation::Silu,
            },
        };
        match self.stages.last_mut() {
            Some(Stage::Linear(steps)) => steps.push(step),
            _ => self.stages.push(Stage::Linear(vec![step])),
        }
        Ok(())
    }

    fn add_attention(&mut self, heads: u32) -> Result<(), GuestError> {
        if self.stages.is_empty() {
            return Err(wrong("the first step is a layer".to_owned()));
        }
        let found = Heads::new(heads as usize, self.outputs).ok_or_else(|| {
            wrong(format!(
                "{heads} heads cannot share rows of {}",
                self.outputs
            ))
        })?;
        self.outputs = found.outputs();
        self.stages.push(Stage::Attention(found));
        Ok(())
    }

    /// The rows in `x`. Errors: `kernels.rows`.
    pub(super) fn rows<'x>(&self, x: &'x [f32]) -> Result<Rows<'x>, GuestError> {
        let wrong = |message: String| GuestError {
            code: "kernels.rows".to_owned(),
            message,
        };
        if !x.len().is_multiple_of(self.inputs) {
            return Err(wrong(format!(
                "{} numbers are no rows of {}",
                x.len(),
                self.inputs
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

    /// The work that so many rows are, in multiplications with an addition.
    pub(super) fn multiplications(&self, rows: usize) -> u64 {
        let each = self.stages.iter().map(|stage| match stage {
            Stage::Linear(steps) => steps
                .iter()
                .map(|step| {
                    let weights = step.layer.inputs() as u64 * step.layer.outputs() as u64;
                    weights.saturating_mul(rows as u64)
                })
                .fold(0, u64::saturating_add),
            Stage::Attention(heads) => heads.multiplications(rows),
        });
        each.fold(0, u64::saturating_add)
    }

    /// The length of the longest row that is held of all rows at once, beside what goes in.
    pub(super) fn longest(&self) -> usize {
        let lengths = self.stages.iter().map(|stage| match stage {
            Stage::Linear(steps) => steps.last().map_or(0, |step| step.layer.outputs()),
            Stage::Attention(heads) => heads.outputs(),
        });
        lengths.max().unwrap_or(0)
    }

    /// The rows `x` through all of them. `go_on` is asked before each piece of work.
    pub(super) fn run(
        &self,
        x: Rows<'_>,
        threads: usize,
        go_on: impl Fn() -> wasmtime::Result<()> + Sync,
    ) -> wasmtime::Result<Vec<f32>> {
        let mut current: Option<Vec<f32>> = None;
        for stage in &self.stages {
            let x = |length: usize| match &current {
                None => x,
                Some(current) => Rows::new(current, length),
            };
            let next = match stage {
                Stage::Linear(steps) => {
                    let inputs = steps.first().map_or(1, |step| step.layer.inputs());
                    linear(steps, x(inputs), threads, &go_on)?
                }
                Stage::Attention(heads) => heads.attend(x(heads.inputs()), threads, &go_on)?,
            };
            current = Some(next);
        }
        Ok(current.unwrap_or_default())
    }
}

fn wrong(message: String) -> GuestError {
    GuestError {
        code: "kernels.step".to_owned(),
        message,
    }
}
