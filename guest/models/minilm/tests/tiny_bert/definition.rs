//! The network's definition, as the papers have it, in f64.

use ampoule_guest_testing::reference::{self, Rows, dot, sum};
use ampoule_guest_testing::safetensors::Tensors;

use super::{EPSILON, HEADS, HIDDEN, LAYERS};

/// A network with these weights.
pub(crate) struct Definition {
    pub(crate) tensors: Tensors,
    /// The function in the middle of a feed-forward network.
    pub(crate) activation: fn(f64) -> f64,
}

impl Definition {
    fn rows(&self, name: &str) -> Rows {
        reference::rows(&self.tensors, name)
    }

    fn linear(&self, name: &str, x: &Rows) -> Rows {
        reference::linear(&self.tensors, name, x)
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        reference::layer_norm(&self.tensors, name, EPSILON, x)
    }

    fn attention(&self, name: &str, x: &Rows) -> Rows {
        let [query, key, value] =
            ["query", "key", "value"].map(|part| self.linear(&format!("{name}.self.{part}"), x));
        let width = HIDDEN / HEADS;
        let mut context = vec![vec![0.0; HIDDEN]; x.len()];
        for head in 0..HEADS {
            let part = head * width..(head + 1) * width;
            for (token, query) in query.iter().enumerate() {
                let powers: Vec<f64> = key
                    .iter()
                    .map(|key| dot(&query[part.clone()], &key[part.clone()]))
                    .map(|score| (score / (width as f64).sqrt()).exp())
                    .collect();
                let sum: f64 = powers.iter().sum();
                for (power, value) in powers.iter().zip(&value) {
                    for column in part.clone() {
                        context[token][column] += power / sum * value[column];
                    }
                }
            }
        }
        let update = self.linear(&format!("{name}.output.dense"), &context);
        self.norm(&format!("{name}.output.LayerNorm"), &sum(x, &update))
    }

    /// The last layer's rows.
    pub(crate) fn rows_of(&self, ids: &[u32]) -> Rows {
        let [words, positions, segments] = ["word", "position", "token_type"]
            .map(|table| self.rows(&format!("embeddings.{table}_embeddings.weight")));
        let mut x: Rows = ids
            .iter()
            .zip(&positions)
            .map(|(&id, position)| {
                (0..HIDDEN)
                    .map(|i| words[id as usize][i] + position[i] + segments[0][i])
                    .collect()
            })
            .collect();
        x = self.norm("embeddings.LayerNorm", &x);
        for layer in 0..LAYERS {
            let name = format!("encoder.layer.{layer}");
            x = self.attention(&format!("{name}.attention"), &x);
            let mut middle = self.linear(&format!("{name}.intermediate.dense"), &x);
            for value in middle.iter_mut().flatten() {
                *value = (self.activation)(*value);
            }
            let update = self.linear(&format!("{name}.output.dense"), &middle);
            x = self.norm(&format!("{name}.output.LayerNorm"), &sum(&x, &update));
        }
        x
    }

    /// The mean of the rows, scaled to length 1.
    pub(crate) fn embed(&self, ids: &[u32]) -> Vec<f64> {
        normalized(&mean(&self.rows_of(ids)))
    }
}

pub(crate) fn mean(rows: &Rows) -> Vec<f64> {
    (0..rows[0].len())
        .map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64)
        .collect()
}

pub(crate) fn normalized(vector: &[f64]) -> Vec<f64> {
    let length = dot(vector, vector).sqrt();
    vector.iter().map(|v| v / length).collect()
}
