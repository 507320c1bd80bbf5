//! Runs signed machine-learning models in WebAssembly sandboxes.
