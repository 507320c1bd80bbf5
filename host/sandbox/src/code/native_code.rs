//! Native code, and giving it to the engine: the one place of this crate where `unsafe` is.

#![allow(
    unsafe_code,
    reason = "deserialising native code is unsafe by its nature; the proof stands at the block"
)]

use std::io;

use ampoule_units::text;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::code::sealed_file::SealedFile;
use crate::error::{Error, Result};
#[cfg(feature = "compile")]
use crate::guest::system_refusal::out_of_memory;
use crate::guest::system_refusal::system_refusal;
use crate::wasmtime_words::is_pool_count;

/// Native code of this host's own compiler, in a sealed file, so that it stays as it was when it got in.
///
/// Invariant: the bytes are what [`Engine::precompile_component`] has returned. Nothing can check that of bytes, and
/// other bytes could do everything that this process can. So code is made only of the compiler's own answer
/// ([`CompiledCode`]), or with the name of who vouches for it ([`Voucher`]), or received from the process that loads
/// ([`LoadingProcess`](crate::wire::LoadingProcess)).
#[derive(Debug)]
pub struct NativeCode(SealedFile);

/// An answer of the compiler in this process, and nothing else.
#[cfg(feature = "compile")]
#[derive(Debug)]
pub struct CompiledCode(Vec<u8>);

/// The part of the loading half that vouches for code which was not compiled in this process.
///
/// Each variant is named in one place of the sources, next to the check that it stands for; a test holds them to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// The process that compiles. This host started it, from a program that the operator named, and has read the code
    /// from its standard output.
    CompileProcess,
    /// The cache. The entry's message authentication code was right over these very bytes, after they were sealed, by
    /// a key that only this host's user can read.
    AuthenticatedCache,
}

/// The way in which an engine gets at native code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CodeMapping {
    /// Maps the sealed file. All processes that map it share its pages, those of the initial memory too, until they
    /// write to them. Mapping opens `/proc/self/fd/N`.
    #[default]
    File,
    /// Copies the code, for a process that may open no file. Each process then has code and initial memory for itself,
    /// and for a moment both three times: as read, as mapped, and as the engine keeps initial memory. Of two processes
    /// that serve the built-in model, whose code has 22 MiB, each takes 29 MB instead of 4, and 0.1 s longer to begin.
    Copy,
}

#[cfg(feature = "compile")]
impl CompiledCode {
    /// Compiles a component.
    ///
    /// # Errors
    ///
    /// `compile.failed`, `io.system`.
    pub fn of(engine: &Engine, component: &[u8]) -> Result<Self> {
        let compiled = engine.precompile_component(component);
        compiled.map(Self).map_err(|error| {
            out_of_memory(&error).unwrap_or_else(|| Error::Compile {
                reason: text::sentence(&format!("{error:#}")),
            })
        })
    }

    /// Returns the code's bytes, to be handed on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Seals the code.
    ///
    /// # Errors
    ///
    /// `io.system`.
    pub fn seal(&self) -> Result<NativeCode> {
        SealedFile::holding(&self.0)
            .map(NativeCode)
            .map_err(|error| Error::system("keep compiled code in memory", &error))
    }
}

impl NativeCode {
    /// Takes code that `voucher` vouches for.
    #[must_use]
    pub fn vouched_for(by: Voucher, code: SealedFile) -> Self {
        tracing::trace!(target: "ampoule::code", ?by, "native code was taken");
        Self(code)
    }

    /// Takes code from the process that loads, which has vouched for it.
    pub(crate) fn received(code: SealedFile) -> Self {
        Self(code)
    }

    /// Returns the sealed file, to be kept or sent.
    #[must_use]
    pub fn file(&self) -> &SealedFile {
        &self.0
    }

    /// Gives the code to the engine.
    ///
    /// # Errors
    ///
    /// `limit.instances`, `io.system`; `internal.bug` for code of another version or configuration of Wasmtime.
    pub fn load(&self, engine: &Engine, mapping: CodeMapping) -> Result<Component> {
        let loaded = match mapping {
            // SAFETY: `deserialize_file` asks that the file be what `Engine::precompile_component` wrote, and that it
            // not be changed while it is mapped. The first is the invariant of `NativeCode`, which each of its
            // constructors has somebody vouch for. The second holds because the file is sealed against writing,
            // shrinking and growing, and a seal cannot be taken off. Code of another version or configuration of
            // Wasmtime the engine itself refuses.
            CodeMapping::File => unsafe { Component::deserialize_file(engine, self.0.path()) },
            // Not `deserialize_raw` over a mapping of ours. It would leave making the code executable to us
            // (`CustomCodeMemory`), and ask that the mapping outlive every use of the component. Initial memory, the
            // larger part of a model, would be copied all the same: the engine shares only images of a file that it
            // has mapped itself.
            CodeMapping::Copy => {
                let bytes = self
                    .0
                    .read()
                    .map_err(|error| Error::system("read compiled code", &error))?;
                // SAFETY: as above. The engine copies the bytes, so nothing can change them afterwards.
                unsafe { Component::deserialize(engine, bytes) }
            }
        };
        loaded.map_err(|error| match system_refusal(&error) {
            Some(refusal) => refused(&refusal),
            None => explain(&format!("{error:#}")),
        })
    }
}

/// Explains that the system refused to map code.
fn refused(refusal: &io::Error) -> Error {
    if refusal.kind() == io::ErrorKind::PermissionDenied {
        return Error::Executable {
            reason: refusal.to_string(),
        };
    }
    Error::system("map compiled code", refusal)
}

/// Explains that the engine does not take code. More instances, memories or tables than the pool has in one place are
/// the component's doing.
fn explain(words: &str) -> Error {
    if is_pool_count(words) {
        return Error::Instances {
            reason: text::sentence(words),
        };
    }
    Error::internal(format!("compiled code does not load: {words}"))
}
