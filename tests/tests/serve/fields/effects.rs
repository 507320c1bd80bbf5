//! Effects of the fields that the manual calls honoured: a status of 200 would also be the answer to a field that is
//! passed over.

use super::calls::{
    asks_for_bytes, comes_back, has_the_effect_of_its_members, is_a_limit, is_told_in_the_answer,
    leaves_out_models_that_are_not_up, names_the_model, names_the_model_by_its_older_name,
    names_the_outputs,
};
use super::generation::{
    adds_the_usage_to_a_stream, cuts_the_answer, ends_the_answer, is_a_role, is_a_setting,
    is_read_by_the_model_as_well, is_said, is_streamed, is_the_number_of_answers,
    is_the_picture_of_a_part, is_the_text_of_a_refusal, reaches_the_model,
};
use super::sent::{Sent, is_another_answer, is_read};
use super::vectors::{
    cuts_vectors, is_a_form_of_the_same_vectors, is_a_picture, is_the_number_of_labels,
    keeps_vectors_as_they_are, lets_long_texts_be_cut, refuses_long_texts_if_false,
};

/// Finds what is wrong with the treatment of a row; nothing where its field has its effect.
pub(super) type Check = fn(&Sent<'_>) -> Result<(), String>;

/// Returns the check of a field; `None` where nobody has thought of one.
pub(super) fn check_of(path: &str, field: &str) -> Option<Check> {
    // One route has two addresses.
    let path = if path == "/" { "/embed" } else { path };
    let last = field.rsplit('.').next().unwrap_or_default();
    let is_of_texts = ["/embed", "/tokenize", "/api/embed", "/v1/embeddings"].contains(&path);
    let check: Check = match (path, field) {
        (_, "model") => names_the_model,
        ("/api/show", "name") => names_the_model_by_its_older_name,
        (_, "limits") => is_read,
        (_, "deterministic") => is_told_in_the_answer,
        (_, "limits.memory_bytes" | "limits.fuel" | "limits.deadline_ms") => is_a_limit,
        ("/v2/repository/index", "ready") => leaves_out_models_that_are_not_up,
        ("/v2/models/{name}/infer", _) => return infer(field),
        _ if last == "role" => is_a_role,
        ("/v1/embeddings" | "/api/embed" | "/embed", "dimensions") => cuts_vectors,
        ("/v1/embeddings", "truncate_prompt_tokens") => lets_long_texts_be_cut,
        ("/v1/embeddings", "encoding_format") => is_a_form_of_the_same_vectors,
        ("/embed", "normalize") => keeps_vectors_as_they_are,
        ("/embed" | "/api/embed", "truncate") => refuses_long_texts_if_false,
        ("/embed" | "/tokenize", "truncation_direction" | "add_special_tokens") => is_read,
        _ if is_of_texts => is_another_answer,
        ("/api/embeddings", "prompt") => is_another_answer,
        (_, "texts" | "images[0]" | "images[0].pixels" | "image.pixels") => is_another_answer,
        (_, "images" | "image") if path.contains("/{name}/image-") => is_a_picture,
        (_, "top_k") if path.ends_with("/image-classification") => is_the_number_of_labels,
        (_, "stream") => is_streamed,
        (_, "stream_options.include_usage") => adds_the_usage_to_a_stream,
        (_, "n") => is_the_number_of_answers,
        (_, "metadata") => comes_back,
        (_, "instructions" | "system") => is_read_by_the_model_as_well,
        ("/ampoule/v1/models/{name}/text-generation", "options") => reaches_the_model,
        (_, "options" | "sampling") => has_the_effect_of_its_members,
        _ => match last {
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" | "num_predict" => {
                cuts_the_answer
            }
            "temperature" | "top_p" | "top_k" | "seed" => is_a_setting,
            "stop" => ends_the_answer,
            "refusal" => is_the_text_of_a_refusal,
            "type" => is_read,
            "pixels" => is_read,
            "image_url" | "url" if field.contains("content[0]") => is_the_picture_of_a_part,
            "messages" | "content" | "text" | "prompt" | "input" | "image" | "images"
            | "content[0]" => is_said,
            _ => return None,
        },
    };
    Some(check)
}

/// Returns the check of a field of the Open Inference Protocol's requests.
pub(super) fn infer(field: &str) -> Option<Check> {
    let check: Check = match field {
        "id" => comes_back,
        "inputs" | "inputs[0].data" => is_said,
        "inputs[0].name" | "inputs[0].datatype" | "inputs[0].shape" | "inputs[0].parameters" => {
            is_read
        }
        "outputs" | "outputs[0].name" => names_the_outputs,
        "outputs[0].parameters" => asks_for_bytes,
        "parameters" => has_the_effect_of_its_members,
        _ => return None,
    };
    Some(check)
}
