//! What a model author uses.
