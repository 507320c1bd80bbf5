//! The message that a loaded model is.
//!
//! A mark of 8 bytes, the version of the form (4 bytes, little-endian), and the head. Descriptors come with the first
//! byte: the code, the lease's socket, and the files where there are any.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ampoule_units::{Budget, ByteSize, SandboxBudgets};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Uid, geteuid};
use serde::{Deserialize, Serialize};

use super::descriptors::{DescriptorReader, send_with};
use super::head::{malformed, read_head, write_head};
use super::lease_messages::{LeaseKeeper, PATIENCE, RemoteLessor};
use crate::code::engine::EngineProfile;
use crate::code::facts::CompiledFacts;
use crate::code::native_code::NativeCode;
use crate::code::sealed_file::SealedFile;
use crate::contract::Task;
use crate::error::{Error, Result};
use crate::imports::assets::AssetFiles;
use crate::lease::{Lease, TrustLease};
use crate::limits::Limits;
use crate::loaded_model::{Code, CodeOrigin, LoadedModel, ModelFacts};

const MARK: [u8; 8] = *b"ampoule\0";

/// The version of this form. Processes of two versions do not understand each other.
const VERSION: u32 = 1;

/// Bytes of the longest head: the log of `init` as JSON, descriptions of layers, names of files. A sender that may
/// choose the length could otherwise have the receiver take all memory.
const MAX_HEAD_BYTES: u32 = 8 << 20;

/// The code, the lease and the files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelHead {
    facts: ModelFacts,
    tasks: Vec<Task>,
    budgets: SandboxBudgets,
    is_granted_host_kernels: bool,
    profile: EngineProfile,
    origin: CodeOrigin,
    identity: [u8; 32],
    compiled: CompiledFacts,
    code_bytes: u64,
    /// Names and lengths, in the order of the bytes in the files' descriptor.
    files: Vec<(String, u64)>,
    lease: Lease,
}

impl LoadedModel {
    /// Sends the model to the process at the other end of a socket, which receives it by
    /// [`LoadingProcess::receive`]. Returns this end of its lease, which is told of each change of trust. Dropping it ends
    /// the lease.
    ///
    /// The call blocks while the other process does not read, unless the socket has a timeout for writing.
    ///
    /// # Errors
    ///
    /// `io.system`, `io.thread`.
    pub fn send(&self, to: &UnixStream) -> Result<Arc<LeaseKeeper>> {
        let (here, there) = UnixStream::pair().map_err(|error| unsent(&error))?;
        self.send_with_lease(to, there)
            .map_err(|error| unsent(&error))?;
        let lessor = self.lease.lessor();
        let keeper = Arc::new(LeaseKeeper::start(here, Arc::clone(lessor))?);
        let kept = Arc::downgrade(&keeper);
        // A process that cannot be told has lost its lease by that.
        let tell = move || {
            kept.upgrade()
                .is_some_and(|keeper| keeper.announce().is_ok())
        };
        lessor.on_change(Box::new(tell));
        Ok(keeper)
    }

    fn send_with_lease(&self, to: &UnixStream, lease: UnixStream) -> io::Result<()> {
        let code = self.code.native.file();
        let files = self.files.iter();
        let head = ModelHead {
            facts: self.facts.clone(),
            tasks: self.tasks.clone(),
            budgets: self.budgets,
            is_granted_host_kernels: self.is_granted_host_kernels,
            profile: self.profile,
            origin: self.origin,
            identity: self.code.identity,
            compiled: self.code.facts.clone(),
            code_bytes: code.length()?,
            files: files
                .map(|(name, bytes)| (name.to_owned(), bytes.len() as u64))
                .collect(),
            lease: self.lease.last(),
        };
        let mut descriptors = vec![code.file().as_fd(), lease.as_fd()];
        let files = if head.files.is_empty() {
            None
        } else {
            let mut bytes = self.files.iter().map(|(_, bytes)| bytes);
            Some(SealedFile::new(|file| {
                bytes.try_for_each(|bytes| file.write_all(bytes))
            })?)
        };
        descriptors.extend(files.as_ref().map(|files| files.file().as_fd()));
        let mut message = [&MARK[..], &VERSION.to_le_bytes()].concat();
        write_head(&mut message, &head)?;
        send_with(to, &message, &descriptors)
    }
}

fn unsent(error: &io::Error) -> Error {
    Error::system("send a model to the process that serves", error)
}

/// The process that loads models, at the other end of a socket.
///
/// It vouches for the native code that it sends: nothing else can be asked about such code, and bytes of any other
/// origin could do everything that this process can.
#[derive(Debug)]
pub struct LoadingProcess(UnixStream);

impl LoadingProcess {
    /// Takes the process at the other end for the one that loads. The caller has the socket from the process that
    /// started this one, and from nobody else.
    ///
    /// # Errors
    ///
    /// `io.message` when the other end was made by another user than this process's or root; `io.system`.
    pub fn at_the_other_end_of(socket: UnixStream) -> Result<Self> {
        let peer = socket_peercred(&socket).map_err(|error| unreceived(error.into()))?;
        let own = geteuid();
        if peer.uid != own && peer.uid != Uid::ROOT {
            return Err(unreceived(malformed(format!(
                "the socket is that of user {}, and user {} or root is expected",
                peer.uid.as_raw(),
                own.as_raw()
            ))));
        }
        Ok(Self(socket))
    }

    /// Receives a model: `None` when the loading process sends no more. Opens no file. A model that asks for more
    /// than these limits is refused, as is one whose parts do not fit its head.
    ///
    /// The call blocks until a model has come, unless the socket has a timeout for reading.
    ///
    /// # Errors
    ///
    /// `io.message` for anything but a whole message of this version within the limits. Nothing more can be received
    /// then. `io.system`.
    pub fn receive(&self, limits: &Limits) -> Result<Option<LoadedModel>> {
        receive(&self.0, limits).map_err(unreceived)
    }
}

fn unreceived(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => Error::Message {
            reason: error.to_string(),
        },
        io::ErrorKind::UnexpectedEof => Error::Message {
            reason: "it ends early".to_owned(),
        },
        _ => Error::system("receive a model from the process that loads", &error),
    }
}

fn receive(from: &UnixStream, limits: &Limits) -> io::Result<Option<LoadedModel>> {
    let mut reader = DescriptorReader::new(from);
    let mut mark = [0; MARK.len()];
    let first = reader.read(&mut mark)?;
    if first == 0 {
        return Ok(None);
    }
    reader.read_exact(mark.get_mut(first..).unwrap_or_default())?;
    let mut version = [0; 4];
    reader.read_exact(&mut version)?;
    let version = u32::from_le_bytes(version);
    if mark != MARK {
        return Err(malformed("it does not begin as one"));
    }
    if version != VERSION {
        return Err(malformed(format!(
            "it has the form {version}, and {VERSION} is expected"
        )));
    }
    let head: ModelHead = read_head(&mut reader, MAX_HEAD_BYTES)?;
    check_budgets(&head.budgets, limits)?;
    let (code, lease, files) = parts(reader.into_descriptors(), !head.files.is_empty())?;
    let code = sealed("code", code, head.code_bytes, max_code(limits))?;
    let files = match files {
        Some(files) => read_files(files, head.files, limits.bundle)?,
        None => AssetFiles::default(),
    };
    let lessor = RemoteLessor::new(UnixStream::from(lease), head.lease.generation, PATIENCE)?;
    let code = Code {
        identity: head.identity,
        facts: head.compiled,
        native: NativeCode::received(code),
    };
    Ok(Some(LoadedModel::new(
        head.facts,
        head.tasks,
        head.budgets,
        head.is_granted_host_kernels,
        head.profile,
        (Arc::new(code), head.origin),
        files,
        TrustLease::new(head.lease, Arc::new(lessor)),
    )))
}

fn check_budgets(budgets: &SandboxBudgets, limits: &Limits) -> io::Result<()> {
    let most = limits.budgets();
    let is_within = |asked: Budget, most: Budget| {
        asked.memory <= most.memory && asked.fuel <= most.fuel && asked.deadline <= most.deadline
    };
    if is_within(budgets.request, most.request)
        && is_within(budgets.init, most.init)
        && budgets.output <= most.output
    {
        return Ok(());
    }
    Err(malformed(
        "the model asks for more than the limits of this process, which have to be those of the loading one",
    ))
}

/// Splits the descriptors of a message into code, lease and files.
fn parts(
    descriptors: Vec<OwnedFd>,
    has_files: bool,
) -> io::Result<(OwnedFd, OwnedFd, Option<OwnedFd>)> {
    let (found, expected) = (descriptors.len(), 2 + usize::from(has_files));
    let mut descriptors = descriptors.into_iter();
    match (descriptors.next(), descriptors.next(), descriptors.next()) {
        (Some(code), Some(lease), files) if found == expected => Ok((code, lease, files)),
        _ => Err(malformed(format!(
            "{found} descriptors came with it, and {expected} are expected"
        ))),
    }
}

/// Takes a sealed file of exactly `length` bytes, which are at most `most`.
fn sealed(what: &str, file: OwnedFd, length: u64, most: ByteSize) -> io::Result<SealedFile> {
    let file = SealedFile::received(file)?;
    let found = file.length()?;
    if found != length || length > most.bytes() {
        return Err(malformed(format!(
            "its {what} has {found} bytes; its head says {length}, and at most {} are allowed",
            most.bytes()
        )));
    }
    Ok(file)
}

/// Returns the most bytes of code that a model within these limits becomes: the image of its memory, and some 64 bytes
/// for each of its component's.
fn max_code(limits: &Limits) -> ByteSize {
    let component = limits.component.bytes().saturating_mul(64);
    let image = limits.init.memory.bytes();
    ByteSize::from_bytes(image.saturating_add(component).saturating_add(64 << 20))
}

fn read_files(
    sealed_files: OwnedFd,
    names: Vec<(String, u64)>,
    most: ByteSize,
) -> io::Result<AssetFiles> {
    let total = names
        .iter()
        .fold(0_u64, |total, (_, length)| total.saturating_add(*length));
    let sealed_files = sealed("set of files", sealed_files, total, most)?;
    let mut files = BTreeMap::new();
    let mut offset = 0;
    for (name, length) in names {
        let bytes = sealed_files.read_at(offset, length)?;
        offset += length;
        if files.insert(name, bytes.into()).is_some() {
            return Err(malformed("two of its files have one name"));
        }
    }
    Ok(AssetFiles::from(files))
}
