//! Handing native code to the engine: the one place of this crate where `unsafe` is.

#![allow(
    unsafe_code,
    reason = "deserialising native code is unsafe by its nature; the proof stands at the block"
)]

use std::io;

use ampoule_units::text;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::code::sealed_file::SealedFile;
use crate::error::{Error, Result};
use crate::guest::system_refusal::system_refusal;
use crate::wasmtime_words::is_pool_count;

/// Native code that this host has compiled, or had compiled: in a sealed file, so that it stays what it was
/// when it got in.
///
/// It is only made of what our compiler has returned, here or in a process that this host started, and of an
/// entry of the cache whose message authentication code was right.
#[derive(Debug)]
pub struct NativeCode(SealedFile);

impl NativeCode {
    /// Of what was just compiled in this process.
    pub fn compiled(code: &[u8]) -> Result<Self> {
        SealedFile::holding(code)
            .map(Self)
            .map_err(|error| Error::system("keep compiled code in memory", &error))
    }

    /// Of what the process that compiles for this host has answered with.
    pub fn compiled_elsewhere(code: SealedFile) -> Self {
        Self(code)
    }

    /// Of what the cache has found to be authentic.
    pub fn authenticated(code: SealedFile) -> Self {
        Self(code)
    }

    /// The code, to be kept.
    pub fn file(&self) -> &SealedFile {
        &self.0
    }

    /// Gives it to the engine. The mapping is of the file, so that sandboxes and processes share its
    /// pages until they write to them.
    pub fn load(&self, engine: &Engine) -> Result<Component> {
        // SAFETY: `deserialize_file` asks that the file be what `Engine::precompile_component` of this
        // version of Wasmtime wrote, and that it not be changed while it is mapped. The first holds
        // because a `NativeCode` is made only of what our own compiler returned, in this process or in
        // one that this host started, or of such code out of the cache, whose authentication code was
        // checked over these very bytes with a key that only this host's user can read (`aot_cache.rs`).
        // The second holds because the file is sealed against writing, shrinking and growing, and no
        // name leads to it. What another version of Wasmtime, or another configuration, has written,
        // the engine itself refuses.
        let loaded = unsafe { Component::deserialize_file(engine, self.0.path()) };
        loaded.map_err(|error| match system_refusal(&error) {
            Some(refusal) => refused(&refusal),
            None => explain(&format!("{error:#}")),
        })
    }
}

/// What it means that the system refused to make something of code.
fn refused(refusal: &io::Error) -> Error {
    if refusal.kind() == io::ErrorKind::PermissionDenied {
        return Error::Executable {
            reason: refusal.to_string(),
        };
    }
    Error::system("map compiled code", refusal)
}

/// What the engine says of code that it will not take. That it needs more instances, memories or tables
/// than a place in the pool has is the component's doing.
fn explain(words: &str) -> Error {
    if is_pool_count(words) {
        return Error::Instances {
            reason: text::sentence(words),
        };
    }
    Error::internal(format!("compiled code does not load: {words}"))
}
