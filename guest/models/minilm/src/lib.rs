//! A BERT encoder.
