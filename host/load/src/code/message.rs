//! Messages between a host and the process that compiles for it.
//!
//! A message is the length of its head (4 bytes, little-endian), the head (JSON), and bytes that the head describes.
//! Both sides are the same program. The answer is read with bounds all the same, since the child has worked on hostile
//! bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::sealed_file::SealedFile;
use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::guest_log::GuestLog;
use ampoule_sandbox::wire::{read_bytes, read_head, write_head};
use ampoule_sandbox::{Budget, Error, Result};
use ampoule_units::ByteSize;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::code::snapshot::{Init, LastWords};

/// Longest head: names of files, or a guest's log, which [`MAX_INIT_LOG`](ampoule_sandbox::limits::MAX_INIT_LOG)
/// bounds.
const MAX_HEAD_BYTES: u32 = 8 << 20;

/// Head of a request. The component and the files follow, in this order.
#[derive(Serialize, Deserialize)]
struct RequestHead {
    profile: EngineProfile,
    image: ByteSize,
    budget: Budget,
    output: usize,
    log: ByteSize,
    host_kernels: bool,
    component: u64,
    files: Vec<(String, u64)>,
}

/// Request to compile one model.
pub(crate) struct CompileRequest {
    pub(crate) profile: EngineProfile,
    /// Bound on the memory that is kept as an image, holes included.
    pub(crate) image: ByteSize,
    pub(crate) component: Bytes,
    pub(crate) init: Init,
}

impl CompileRequest {
    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Init {
            assets,
            budget,
            output,
            log,
            host_kernels,
            said: _,
        } = &self.init;
        let head = RequestHead {
            profile: self.profile,
            image: self.image,
            budget: *budget,
            output: *output,
            log: *log,
            host_kernels: *host_kernels,
            component: self.component.len() as u64,
            files: assets
                .iter()
                .map(|(name, bytes)| (name.to_owned(), bytes.len() as u64))
                .collect(),
        };
        write_head(to, &head)?;
        to.write_all(&self.component)?;
        assets.iter().try_for_each(|(_, bytes)| to.write_all(bytes))
    }

    pub(crate) fn read(from: &mut impl Read) -> io::Result<Self> {
        let head: RequestHead = read_head(from, MAX_HEAD_BYTES)?;
        let component = read_bytes(from, head.component)?;
        let files = head
            .files
            .into_iter()
            .map(|(name, length)| Ok((name, read_bytes(from, length)?)))
            .collect::<io::Result<BTreeMap<_, _>>>()?;
        Ok(Self {
            profile: head.profile,
            image: head.image,
            component,
            init: Init {
                assets: AssetFiles::from(files),
                budget: head.budget,
                output: head.output,
                log: head.log,
                host_kernels: head.host_kernels,
                said: LastWords::default(),
            },
        })
    }
}

/// Head of an answer. The code follows, `code` bytes long.
#[derive(Serialize, Deserialize)]
struct AnswerHead {
    facts: CompiledFacts,
    code: u64,
}

/// Head of an answer without code.
#[derive(Serialize, Deserialize)]
struct FailureHead {
    failure: Error,
    /// The guest's log up to the failure.
    said: GuestLog,
}

/// Writes the answer to a request. `said` is the guest's log, which goes with a failure.
pub(crate) fn write_answer(
    to: &mut impl Write,
    answer: Result<(CompiledFacts, &[u8])>,
    said: GuestLog,
) -> io::Result<()> {
    let (head, code) = match answer {
        Ok((facts, code)) => {
            let head = AnswerHead {
                facts,
                code: code.len() as u64,
            };
            (Ok(head), code)
        }
        Err(failure) => (Err(FailureHead { failure, said }), &[][..]),
    };
    write_head(to, &head)?;
    to.write_all(code)?;
    to.flush()
}

/// Reason why an answer was not accepted.
#[derive(Debug)]
pub(crate) enum AnswerError {
    /// The stream ended before the answer did.
    Cut,
    /// The bytes are no answer, or one that is over the bound.
    Garbled,
    /// This process could not store the code.
    Unkept(io::Error),
}

/// Reads the answer to a request, with the code in a sealed file. Code over `max_code` bytes is refused.
pub(crate) fn read_answer(
    from: &mut impl Read,
    max_code: u64,
) -> Result<Result<(SealedFile, CompiledFacts)>, AnswerError> {
    let head: Result<AnswerHead, FailureHead> =
        read_head(from, MAX_HEAD_BYTES).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => AnswerError::Cut,
            _ => AnswerError::Garbled,
        })?;
    Ok(match head {
        Ok(AnswerHead {
            facts,
            code: length,
        }) => {
            if length > max_code {
                return Err(AnswerError::Garbled);
            }
            let code = SealedFile::new(|file| {
                if io::copy(&mut from.take(length), file)? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(())
            });
            let code = code.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => AnswerError::Cut,
                _ => AnswerError::Unkept(error),
            })?;
            Ok((code, facts))
        }
        Err(FailureHead { failure, said }) => {
            said.tell();
            Err(believed(failure))
        }
    })
}

/// Returns the other process's error if compiling or `init` can end in it. Any other becomes `internal.bug`: that
/// process has worked on hostile bytes, and must not choose a code of another stage.
fn believed(error: Error) -> Error {
    match error {
        Error::Import { .. }
        | Error::Task { .. }
        | Error::Compile { .. }
        | Error::CompileLimit { .. }
        | Error::Fuel { .. }
        | Error::Deadline { .. }
        | Error::Memory { .. }
        | Error::Instances { .. }
        | Error::Stack { .. }
        | Error::Output { .. }
        | Error::Guest { .. }
        | Error::Trap { .. }
        | Error::Thread { .. }
        | Error::System { .. }
        | Error::Addresses { .. }
        | Error::Executable { .. }
        | Error::Internal { .. } => error,
        other => Error::internal(other.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use ampoule_sandbox::code::facts::{InitReport, SandboxStart};
    use ampoule_sandbox::imports::guest_log::{LogLevel, LogSink};
    use ampoule_sandbox::limits::{Limits, MAX_LOG};
    use ampoule_units::Fuel;

    use super::*;

    const CODE: &[u8] = b"native code";

    fn facts() -> CompiledFacts {
        CompiledFacts {
            start: SandboxStart::Cold {
                reason: "a test".to_owned(),
            },
            init: None,
            layers: Vec::new(),
        }
    }

    fn answer() -> Vec<u8> {
        let mut answer = Vec::new();
        write_answer(&mut answer, Ok((facts(), CODE)), GuestLog::default()).unwrap();
        answer
    }

    /// A quotation mark takes two bytes in JSON, and a message without text takes as many as its name.
    #[test]
    fn the_longest_log_of_init_fits_into_an_answer() {
        let mut limits = Limits::default();
        limits.log = MAX_LOG;
        for text in ["\"".repeat(1_000), "\t\\\u{1b}".repeat(400), String::new()] {
            let sink = LogSink::new(limits.init_log());
            // A message costs 64 bytes at the least.
            for _ in 0..=limits.init_log().bytes() / 64 {
                sink.write(LogLevel::Error, &text);
            }
            let mut facts = facts();
            facts.init = Some(InitReport::new(
                Fuel::new(u64::MAX),
                limits.memory,
                Duration::MAX,
                sink.snapshot(),
            ));
            let mut answer = Vec::new();
            write_answer(&mut answer, Ok((facts, CODE)), GuestLog::default()).unwrap();
            read_answer(&mut &answer[..], 1_000).unwrap().unwrap();

            let failed = Error::internal("a test");
            let mut answer = Vec::new();
            write_answer(&mut answer, Err(failed), sink.take()).unwrap();
            let error = read_answer(&mut &answer[..], 1_000).unwrap().err().unwrap();
            assert_eq!(error.code(), "internal.bug");
        }
    }

    #[test]
    fn an_answer_is_taken_whole_and_within_the_bound_or_not_at_all() {
        let answer = answer();
        let read = |mut bytes: &[u8], most| read_answer(&mut bytes, most);
        let (code, _) = read(&answer, CODE.len() as u64).unwrap().unwrap();
        assert_eq!(std::fs::read(code.path()).unwrap(), CODE);
        // Bytes after the answer are not read.
        let longer = [&answer[..], b"more"].concat();
        let (code, _) = read(&longer, 1_000).unwrap().unwrap();
        assert_eq!(std::fs::read(code.path()).unwrap(), CODE);

        for length in 0..answer.len() {
            let cut = read(&answer[..length], 1_000);
            assert!(matches!(cut, Err(AnswerError::Cut)), "{length}");
        }
        let too_long = read(&answer, CODE.len() as u64 - 1);
        assert!(matches!(too_long, Err(AnswerError::Garbled)));
        let giant_head = [&u32::MAX.to_le_bytes()[..], &answer].concat();
        let zeros = vec![0; 1_000];
        for garbled in [giant_head, zeros] {
            let read = read(&garbled, 1_000);
            assert!(matches!(read, Err(AnswerError::Garbled)));
        }
    }
}
