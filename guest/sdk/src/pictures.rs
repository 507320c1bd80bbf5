#![doc = include_str!("pictures.md")]
