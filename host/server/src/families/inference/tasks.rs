//! The tensors of each task, and the choice of a task.

use std::collections::BTreeSet;

use ampoule::Task;

use crate::error::ApiError;
use crate::families::inference::body::Inference;
use crate::families::inference::datatype::Datatype;
use crate::families::inference::request::Parameter;
use crate::http::field_names;
use crate::said::{Said, said};

/// Parameters that every task knows.
const COMMON_PARAMETERS: [&str; 4] = ["task", "binary_data_output", "timeout", "priority"];

/// A tensor of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorSpec {
    pub(crate) name: &'static str,
    pub(crate) datatype: Datatype,
    /// −1 for a size that the request or the model decides.
    pub(crate) shape: &'static [i64],
}

/// A task, its tensors and its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskSpec {
    pub(crate) task: Task,
    pub(crate) work: Work,
    pub(crate) inputs: &'static [TensorSpec],
    pub(crate) outputs: &'static [TensorSpec],
    parameters: &'static [&'static str],
    /// Inputs of which exactly one must be there.
    one_of: &'static [&'static str],
    /// The input of a raw body, which is one element.
    pub(crate) raw: &'static str,
}

/// The kinds of calls, one a task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    EmbedTexts,
    EmbedImages,
    Classify,
    Tokenize,
    Generate,
}

const fn list(name: &'static str, datatype: Datatype) -> TensorSpec {
    TensorSpec {
        name,
        datatype,
        shape: &[-1],
    }
}

const TEXTS: TensorSpec = list("texts", Datatype::Bytes);
const IMAGES: TensorSpec = list("images", Datatype::Bytes);
const TRUNCATED: TensorSpec = list("truncated", Datatype::Bool);

const PIXELS: TensorSpec = TensorSpec {
    name: "pixels",
    datatype: Datatype::Uint8,
    shape: &[-1, -1, -1, 3],
};

const EMBEDDINGS: TensorSpec = TensorSpec {
    name: "embeddings",
    datatype: Datatype::Fp32,
    shape: &[-1, -1],
};

const TEXT_EMBEDDING: TaskSpec = TaskSpec {
    task: Task::TextEmbedding,
    work: Work::EmbedTexts,
    inputs: &[TEXTS],
    outputs: &[EMBEDDINGS, TRUNCATED],
    parameters: &[],
    one_of: &["texts"],
    raw: "texts",
};

const IMAGE_EMBEDDING: TaskSpec = TaskSpec {
    task: Task::ImageEmbedding,
    work: Work::EmbedImages,
    inputs: &[IMAGES, PIXELS],
    outputs: &[EMBEDDINGS],
    parameters: &[],
    one_of: &["images", "pixels"],
    raw: "images",
};

const IMAGE_CLASSIFICATION: TaskSpec = TaskSpec {
    task: Task::ImageClassification,
    work: Work::Classify,
    inputs: &[
        TensorSpec {
            name: "image",
            datatype: Datatype::Bytes,
            shape: &[1],
        },
        PIXELS,
    ],
    outputs: &[
        list("labels", Datatype::Bytes),
        list("scores", Datatype::Fp32),
    ],
    parameters: &["top_k"],
    one_of: &["image", "pixels"],
    raw: "image",
};

const TEXT_TOKENIZATION: TaskSpec = TaskSpec {
    task: Task::TextTokenization,
    work: Work::Tokenize,
    inputs: &[TEXTS],
    outputs: &[
        list("ids", Datatype::Uint32),
        list("lengths", Datatype::Uint32),
        TRUNCATED,
    ],
    parameters: &[],
    one_of: &["texts"],
    raw: "texts",
};

const TEXT_GENERATION: TaskSpec = TaskSpec {
    task: Task::TextGeneration,
    work: Work::Generate,
    inputs: &[
        list("prompt", Datatype::Bytes),
        TensorSpec {
            name: "system",
            datatype: Datatype::Bytes,
            shape: &[1],
        },
        IMAGES,
        PIXELS,
    ],
    outputs: &[
        list("text", Datatype::Bytes),
        list("finish_reason", Datatype::Bytes),
        list("input_tokens", Datatype::Uint32),
        list("output_tokens", Datatype::Uint32),
    ],
    parameters: &[
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "stop",
    ],
    one_of: &["prompt"],
    raw: "prompt",
};

/// Every task of the contract, in the order in which they are tried for a request that does not name its own.
const TASKS: [TaskSpec; 5] = [
    TEXT_EMBEDDING,
    IMAGE_EMBEDDING,
    IMAGE_CLASSIFICATION,
    TEXT_GENERATION,
    TEXT_TOKENIZATION,
];

/// Returns the tasks of a model in the order in which they are tried.
pub(crate) fn in_order(offered: &[Task]) -> impl Iterator<Item = &'static TaskSpec> {
    TASKS.iter().filter(|spec| offered.contains(&spec.task))
}

/// Chooses the task of a request: the one that it names, or the first that takes all of its inputs and gives all of the
/// outputs that it asks for. The request's names and parameters are those of the task afterwards.
pub(crate) fn choose(offered: &[Task], request: &Inference) -> Result<&'static TaskSpec, ApiError> {
    let spec = match request.parameters.0.get("task") {
        None => first_that_fits(offered, request)?,
        Some(Parameter::Text(name)) => in_order(offered)
            .find(|spec| spec.task.name() == name)
            .ok_or_else(|| {
                let message = said!(
                    "`task`: one of the model's is expected: {}",
                    words(in_order(offered))
                );
                ApiError::invalid("task", message)
            })?,
        Some(_) => return Err(ApiError::invalid("task", "`task`: a text is expected")),
    };
    check_names(spec, request)?;
    Ok(spec)
}

fn first_that_fits(offered: &[Task], request: &Inference) -> Result<&'static TaskSpec, ApiError> {
    let fits = |spec: &&TaskSpec| {
        let takes = |name: &str| spec.inputs.iter().any(|input| input.name == name);
        let gives = |name: &str| spec.outputs.iter().any(|output| output.name == name);
        let is_needed = |name: &str| spec.one_of.contains(&name);
        request.inputs.iter().all(|input| takes(&input.name))
            && request.inputs.iter().any(|input| is_needed(&input.name))
            && request.outputs.iter().all(|output| gives(&output.name))
    };
    in_order(offered).find(fits).ok_or_else(|| {
        let message = said!(
            "`inputs`: no task of this model takes these inputs and gives these outputs; there are {}",
            words(in_order(offered))
        );
        ApiError::invalid("inputs", message)
    })
}

fn check_names(spec: &'static TaskSpec, request: &Inference) -> Result<(), ApiError> {
    let task = spec.task;
    let mut seen = BTreeSet::new();
    for input in &request.inputs {
        if !spec.inputs.iter().any(|known| known.name == input.name) {
            return Err(input.invalid(said!(
                "no such input; there is {}",
                words(std::iter::once(spec))
            )));
        }
        if !seen.insert(&*input.name) {
            return Err(input.invalid("an input of this name is there already"));
        }
    }
    let given = spec.one_of.iter().filter(|name| seen.contains(*name));
    if given.count() != 1 {
        let one_of = match spec.one_of {
            [one] => said!("the input `{}`", *one),
            several => said!(
                "exactly one of the inputs {}",
                Said::joined(several.iter().copied(), " and ")
            ),
        };
        let message = said!("`inputs`: {} takes {}", task, one_of);
        return Err(ApiError::invalid("inputs", message));
    }
    let mut seen = BTreeSet::new();
    for (index, output) in request.outputs.iter().enumerate() {
        let param = said!("outputs[{}]", index);
        if !spec.outputs.iter().any(|known| known.name == output.name) {
            let message = said!(
                "`{}`: no such output; there is {}",
                param,
                words(std::iter::once(spec))
            );
            return Err(ApiError::invalid(param, message));
        }
        if !seen.insert(&*output.name) {
            let message = said!("`{}`: an output of this name is asked for already", param);
            return Err(ApiError::invalid(param, message));
        }
        let parameters = output.parameters.as_ref();
        let classes = parameters.and_then(|parameters| parameters.0.get("classification"));
        if classes.is_some() || parameters.is_some_and(|p| p.0.contains_key("shared_memory_region"))
        {
            return Err(ApiError::unsupported(
                param,
                "outputs are given as tensors only, neither as classes nor in shared memory; \
                 image-classification has labels and scores as its outputs",
            ));
        }
    }
    for name in request.parameters.0.keys() {
        if !COMMON_PARAMETERS.contains(&&**name) && !spec.parameters.contains(&&**name) {
            let mut known = COMMON_PARAMETERS.to_vec();
            known.extend(spec.parameters);
            let param = match field_names::known(name) {
                Some(name) => said!("parameters.{}", name),
                None => "parameters".into(),
            };
            let message = said!(
                "`{}`: {} has no such parameter; it knows {}",
                param,
                task,
                Said::joined(known, ", ")
            );
            return Err(ApiError::unsupported(param, message));
        }
    }
    Ok(())
}

/// Says which tensors these tasks take and give.
fn words(specs: impl Iterator<Item = &'static TaskSpec>) -> Said {
    let names = |tensors: &'static [TensorSpec]| {
        Said::joined(tensors.iter().map(|tensor| tensor.name), ", ")
    };
    let task = |spec: &'static TaskSpec| {
        let (inputs, outputs) = (names(spec.inputs), names(spec.outputs));
        said!("{} ({} → {})", spec.task, inputs, outputs)
    };
    Said::joined(specs.map(task), "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_the_contract_has_its_tensors() {
        assert_eq!(in_order(&Task::ALL).count(), Task::ALL.len());
        for spec in TASKS {
            let is_input = |name: &str| spec.inputs.iter().any(|input| input.name == name);
            assert!(
                spec.one_of.iter().all(|name| is_input(name)),
                "{}",
                spec.task
            );
            assert!(spec.one_of.contains(&spec.raw), "{}", spec.task);
        }
    }
}
