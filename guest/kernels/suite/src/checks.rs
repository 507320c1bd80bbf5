//! The table of all checks.

use crate::{activations, attention, conv, linear};

/// Gives the macro `$to` all checks, as `module::function`.
#[macro_export]
macro_rules! for_each_check {
    ($to:ident) => {
        $to! {
            activations::gelu_is_exact_to_the_rounding_of_f32,
            activations::gelu_of_what_is_far_out_is_zero_or_itself,
            activations::silu_is_as_exact_as_it_says,
            activations::softmax_agrees_with_f64_at_every_length,
            activations::softmax_neither_overflows_nor_divides_by_zero,
            activations::layer_norm_agrees_with_f64_at_every_width,
            activations::add_adds,
            activations::dot_and_add_scaled_agree_with_f64_at_every_length,
            activations::relu_keeps_what_is_positive,
            activations::rms_norm_agrees_with_f64_at_every_width,
            activations::rotary_embedding_turns_pairs_by_their_position,
            attention::every_small_shape_agrees_with_the_definition,
            attention::shapes_over_several_blocks_agree_with_the_definition,
            attention::more_queries_than_keys_see_all_of_them,
            attention::scores_that_differ_much_agree_with_the_definition,
            attention::what_a_query_does_not_see_leaves_no_trace,
            conv::every_small_shape_agrees_with_the_naive_sum,
            conv::an_epilogue_does_what_its_function_does_to_the_pixels,
            conv::a_depthwise_convolution_is_a_convolution_of_each_channel,
            linear::small_shapes_of_every_remainder_agree_with_the_naive_product,
            linear::shapes_over_several_blocks_agree_with_the_naive_product,
            linear::a_product_of_nothing_is_the_bias,
            linear::packing_piece_by_piece_is_packing_at_once,
            linear::a_row_comes_out_of_a_packed_matrix_as_near_to_what_went_in_as_it_is_kept,
            linear::narrower_weights_give_the_product_of_what_they_are_kept_as,
            linear::random_shapes_give_the_product_of_what_weights_are_kept_as,
            linear::an_epilogue_does_what_its_function_does_to_the_product,
            linear::infinities_and_what_is_no_number_are_not_lost,
            linear::a_block_of_int8_next_to_zero_counts_as_zeros,
            linear::only_the_columns_that_were_asked_for_are_written,
        }
    };
}

macro_rules! table {
    ($($module:ident::$check:ident,)*) => {
        /// All checks by their names.
        pub const CHECKS: &[(&str, fn())] = &[$((stringify!($check), $module::$check)),*];
    };
}

for_each_check!(table);
