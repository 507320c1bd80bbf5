//! A model and its lease over a socket, with good and with hostile other ends.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ampoule_units::{Budget, ByteSize, Fuel, SandboxBudgets};
use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde_json::{Value, json};

use super::descriptors::{DescriptorReader, send_with};
use super::{LeaseKeeper, LoadingProcess, RemoteLessor, write_head};
use crate::code::engine::EngineProfile;
use crate::code::facts::{CompiledFacts, SandboxStart};
use crate::code::native_code::{NativeCode, Voucher};
use crate::code::sealed_file::SealedFile;
use crate::contract::Task;
use crate::error::{BundleRefusal, Error, Result};
use crate::imports::assets::AssetFiles;
use crate::lease::{Lease, Lessor, TrustLease};
use crate::limits::Limits;
use crate::loaded_model::{Code, CodeOrigin, LoadedModel, ModelFacts};

const CODE: &[u8] = b"native code";

/// Bytes in front of the head: the mark, the version, and the head's length.
const PREFACE: usize = 8 + 4 + 4;

#[derive(Default)]
struct Trust {
    generation: AtomicU64,
    is_revoked: AtomicBool,
}

impl Lessor for Trust {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn renew(&self) -> Result<Lease> {
        if self.is_revoked.load(Ordering::SeqCst) {
            return Err(Error::Bundle(BundleRefusal::new("trust.revoked", "gone")));
        }
        Ok(Lease::new(self.generation(), None))
    }

    fn on_change(&self, _: Box<dyn Fn() -> bool + Send + Sync>) {}
}

fn model(trust: &Arc<Trust>) -> LoadedModel {
    let budget = Budget {
        memory: ByteSize::from_mib(1),
        fuel: Fuel::new(1),
        deadline: Duration::from_secs(1),
    };
    let code = Code {
        identity: [7; 32],
        facts: CompiledFacts {
            start: SandboxStart::Snapshot {
                memory: ByteSize::from_mib(1),
            },
            init: None,
            layers: Vec::new(),
        },
        native: NativeCode::vouched_for(
            Voucher::CompileProcess,
            SealedFile::holding(CODE).unwrap(),
        ),
    };
    let files = [("a", "first"), ("b", ""), ("c", "third")];
    let files = files.map(|(name, bytes)| (name.to_owned(), Bytes::from_static(bytes.as_bytes())));
    LoadedModel::new(
        ModelFacts::new("acme", "test", "1.0.0", 3, "ab"),
        vec![Task::TextEmbedding],
        SandboxBudgets {
            request: budget,
            init: budget,
            output: ByteSize::from_mib(1),
        },
        true,
        EngineProfile::Metered,
        (Arc::new(code), CodeOrigin::Cached),
        AssetFiles::from(std::collections::BTreeMap::from(files)),
        TrustLease::new(Lease::new(0, None), Arc::clone(trust) as Arc<dyn Lessor>),
    )
}

fn receiver() -> (UnixStream, LoadingProcess) {
    let (sender, receiver) = UnixStream::pair().unwrap();
    // A receiver that waits for bytes which do not come fails, and does not hang.
    receiver
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let receiver = LoadingProcess::at_the_other_end_of(receiver).unwrap();
    (sender, receiver)
}

/// A message as it is on the way, to be changed.
struct Message {
    head: Value,
    descriptors: Vec<OwnedFd>,
    lease: Arc<LeaseKeeper>,
}

impl Message {
    fn new() -> Self {
        let (sender, receiver) = UnixStream::pair().unwrap();
        let lease = model(&Arc::default()).send(&sender).unwrap();
        drop(sender);
        let mut reader = DescriptorReader::new(&receiver);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        Self {
            head: serde_json::from_slice(&bytes[PREFACE..]).unwrap(),
            descriptors: reader.into_descriptors(),
            lease,
        }
    }

    fn with(pointer: &str, value: Value) -> Self {
        let mut message = Self::new();
        *message.head.pointer_mut(pointer).unwrap() = value;
        message
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"ampoule\0\x01\0\0\0".to_vec();
        write_head(&mut bytes, &self.head).unwrap();
        bytes
    }

    fn send(&self, to: &UnixStream) {
        self.send_as(&self.bytes(), to);
    }

    fn send_as(&self, bytes: &[u8], to: &UnixStream) {
        let descriptors: Vec<BorrowedFd<'_>> = self
            .descriptors
            .iter()
            .map(|descriptor| descriptor.as_fd())
            .collect();
        send_with(to, bytes, &descriptors).unwrap();
    }

    /// Sends the message and returns the reason for which it is refused, while the sender is still there.
    #[track_caller]
    fn refusal(&self) -> String {
        let (sender, receiver) = receiver();
        self.send(&sender);
        refusal_by(&receiver)
    }
}

#[track_caller]
fn refusal_by(receiver: &LoadingProcess) -> String {
    let error = receiver.receive(&Limits::default()).unwrap_err();
    assert_eq!(error.code(), "io.message", "{error}");
    error.to_string()
}

#[test]
fn models_arrive_as_they_were_sent_until_there_are_no_more() {
    let (sender, receiver) = receiver();
    let sent = model(&Arc::default());
    let _leases = [sent.send(&sender).unwrap(), sent.send(&sender).unwrap()];
    drop(sender);
    for _ in 0..2 {
        let received = receiver.receive(&Limits::default()).unwrap().unwrap();
        assert_eq!(received.code.native.file().read().unwrap(), CODE);
        assert_eq!(received.lease.last(), sent.lease.last());
        // Everything else: how it is shown names each field.
        let shown = |model: &LoadedModel| {
            let (code, files) = (&model.code, &model.files);
            let LoadedModel {
                facts,
                tasks,
                budgets,
                is_granted_host_kernels,
                profile,
                origin,
                ..
            } = model;
            format!(
                "{facts:?} {tasks:?} {budgets:?} {is_granted_host_kernels} {profile:?} {origin:?} {files:?} {:?} {:?}",
                code.identity, code.facts
            )
        };
        assert_eq!(shown(&received), shown(&sent));
    }
    assert!(receiver.receive(&Limits::default()).unwrap().is_none());
}

#[test]
fn a_message_that_ends_early_is_refused_wherever_it_ends() {
    let message = Message::new();
    let bytes = message.bytes();
    for length in 1..bytes.len() {
        let (sender, receiver) = receiver();
        message.send_as(&bytes[..length], &sender);
        drop(sender);
        let reason = refusal_by(&receiver);
        assert!(reason.contains("it ends early"), "{length}: {reason}");
    }
}

#[test]
fn another_message_and_another_version_are_refused() {
    let message = Message::new();
    let bytes = message.bytes();
    for (at, expected) in [
        (0, "does not begin"),
        (8, "the form 3"),
        (20, "head is wrong"),
    ] {
        let (sender, receiver) = receiver();
        let mut changed = bytes.clone();
        changed[at] ^= 2;
        message.send_as(&changed, &sender);
        let reason = refusal_by(&receiver);
        assert!(reason.contains(expected), "{reason}");
    }
}

/// The sender stays, and nothing follows: whoever took the length for granted would wait, or die of the allocation.
#[test]
fn a_giant_length_is_refused_before_anything_is_read_or_allocated() {
    let (sender, receiver) = receiver();
    let message = Message::new();
    let mut bytes = message.bytes();
    bytes[PREFACE - 4..PREFACE].copy_from_slice(&u32::MAX.to_le_bytes());
    message.send_as(&bytes[..PREFACE], &sender);
    assert!(refusal_by(&receiver).contains("4294967295 bytes"));

    let giant = 1_u64 << 60;
    for (index, pointer) in [(0, "/code_bytes"), (2, "/files/0/1")] {
        // A file without a page, which is as long as the head says.
        let mut message = Message::with(pointer, json!(giant));
        let file = memfd_create("giant", MemfdFlags::ALLOW_SEALING).unwrap();
        let file = File::from(file);
        let others = if index == 0 { 0 } else { "third".len() as u64 };
        file.set_len(giant + others).unwrap();
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, seals).unwrap();
        message.descriptors[index] = file.into();
        let reason = message.refusal();
        assert!(reason.contains("at most"), "{reason}");
    }
    let overflowing = Message::with("/files/0/1", json!(u64::MAX));
    assert!(overflowing.refusal().contains("set of files"));
}

#[test]
fn lengths_that_do_not_fit_the_descriptors_are_refused() {
    for (pointer, value) in [
        ("/code_bytes", json!(CODE.len() - 1)),
        ("/code_bytes", json!(CODE.len() + 1)),
        ("/files/0/1", json!(4)),
        ("/files/0/1", json!(6)),
    ] {
        let reason = Message::with(pointer, value).refusal();
        assert!(reason.contains("its head says"), "{reason}");
    }
    let twice = Message::with("/files/0/0", json!("c")).refusal();
    assert!(twice.contains("one name"), "{twice}");
}

#[test]
fn only_sealed_files_in_memory_and_a_socket_are_taken() {
    let unsealed = || {
        let file = memfd_create("unsealed", MemfdFlags::ALLOW_SEALING).unwrap();
        let mut file = File::from(file);
        file.write_all(CODE).unwrap();
        file
    };
    let half_sealed = unsealed();
    fcntl_add_seals(&half_sealed, SealFlags::GROW | SealFlags::SHRINK).unwrap();
    let (pipe, _other_end) = std::io::pipe().unwrap();
    let others: [OwnedFd; 4] = [
        unsealed().into(),
        half_sealed.into(),
        File::open("/dev/zero").unwrap().into(),
        pipe.into(),
    ];
    for other in others {
        for index in [0, 2] {
            let mut message = Message::new();
            message.descriptors[index] = other.try_clone().unwrap();
            let reason = message.refusal();
            assert!(reason.contains("not that of a sealed file"), "{reason}");
        }
    }

    let (sender, receiver) = receiver();
    let mut message = Message::new();
    message.descriptors[1] = File::open("/dev/zero").unwrap().into();
    message.send(&sender);
    let error = receiver.receive(&Limits::default()).unwrap_err();
    assert_eq!(error.code(), "io.system", "{error}");
}

#[test]
fn missing_and_surplus_descriptors_are_refused() {
    for count in [0, 1, 2] {
        let mut message = Message::new();
        message.descriptors.truncate(count);
        let reason = message.refusal();
        assert!(reason.contains("3 are expected"), "{reason}");
    }
    let without_files = Message::with("/files", json!([])).refusal();
    assert!(without_files.contains("2 are expected"), "{without_files}");

    // More than a sender of ours could send: twice as many, along with the head.
    let (sender, receiver) = receiver();
    let message = Message::new();
    let bytes = message.bytes();
    let (begin, rest) = bytes.split_at(PREFACE);
    message.send_as(begin, &sender);
    message.send_as(rest, &sender);
    let reason = refusal_by(&receiver);
    assert!(reason.contains("more than 3 descriptors"), "{reason}");
}

#[test]
fn a_model_over_the_limits_of_the_receiver_is_refused() {
    for pointer in [
        "/budgets/request/memory",
        "/budgets/request/fuel",
        "/budgets/init/memory",
        "/budgets/output",
    ] {
        let reason = Message::with(pointer, json!(u64::MAX)).refusal();
        assert!(reason.contains("more than the limits"), "{reason}");
    }
}

/// A model that was sent and received, with both ends of its lease.
fn leased() -> (Arc<Trust>, Arc<LeaseKeeper>, TrustLease) {
    let (sender, receiver) = receiver();
    let trust = Arc::new(Trust::default());
    let keeper = model(&trust).send(&sender).unwrap();
    let received = receiver.receive(&Limits::default()).unwrap().unwrap();
    (trust, keeper, received.lease)
}

#[test]
fn a_change_of_trust_on_one_side_is_asked_about_on_the_other() {
    let (trust, keeper, lease) = leased();
    lease.check().unwrap();
    for generation in 1..4 {
        trust.generation.store(generation, Ordering::SeqCst);
        keeper.announce().unwrap();
        lease.check().unwrap();
        assert_eq!(lease.last().generation, generation);
    }
    trust.is_revoked.store(true, Ordering::SeqCst);
    lease.check().unwrap();
    trust.generation.store(4, Ordering::SeqCst);
    keeper.announce().unwrap();
    for _ in 0..2 {
        assert_eq!(lease.check().unwrap_err().code(), "trust.revoked");
    }
    trust.is_revoked.store(false, Ordering::SeqCst);
    lease.check().unwrap();
}

#[test]
fn nothing_is_granted_once_the_loading_side_is_gone() {
    let (_, keeper, lease) = leased();
    lease.check().unwrap();
    drop(keeper);
    for _ in 0..2 {
        assert_eq!(lease.check().unwrap_err().code(), "io.system");
    }
}

#[test]
fn nothing_is_granted_by_a_loading_side_that_talks_nonsense() {
    let granted = json!({ "granted": Lease::new(0, None) });
    let mut unasked = Vec::new();
    write_head(&mut unasked, &granted).unwrap();
    let nonsense: [&[u8]; 4] = [
        b"\xff\xff\xff\xff",
        b"\x02\0\0\0{}",
        b"\x07\0\0\0{\"no\":1}",
        &unasked,
    ];
    for nonsense in nonsense {
        let (sender, receiver) = receiver();
        let mut message = Message::new();
        let (mut lessor, other_end) = UnixStream::pair().unwrap();
        message.descriptors[1] = other_end.into();
        message.send(&sender);
        let lease = receiver.receive(&Limits::default()).unwrap().unwrap().lease;
        lease.check().unwrap();
        lessor.write_all(nonsense).unwrap();
        for _ in 0..2 {
            assert_eq!(lease.check().unwrap_err().code(), "io.system");
        }
    }
}

/// A loading side that has stopped must not stop every request for as long as the first.
#[test]
fn nothing_is_granted_by_a_loading_side_that_keeps_silent_and_it_is_waited_for_once() {
    let (_silent, other_end) = UnixStream::pair().unwrap();
    let patience = Duration::from_millis(300);
    let lessor = RemoteLessor::new(other_end, 0, patience).unwrap();
    let began = Instant::now();
    assert_eq!(lessor.renew().unwrap_err().code(), "io.system");
    assert!(began.elapsed() >= patience);
    let lease = TrustLease::new(Lease::new(0, None), Arc::new(lessor));
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(lease.check().unwrap_err().code(), "io.system");
    }
    assert!(began.elapsed() < patience);
}

/// The trust changes for all models at once, so one process must not hold the change up for the others.
#[test]
fn a_lease_that_nobody_asks_for_outlives_any_number_of_changes() {
    let (trust, keeper, lease) = leased();
    // Many more than the socket holds.
    for _ in 0..2_000 {
        trust.generation.fetch_add(1, Ordering::SeqCst);
        keeper.announce().unwrap();
    }
    lease.check().unwrap();
    assert_eq!(lease.last().generation, trust.generation());
    trust.is_revoked.store(true, Ordering::SeqCst);
    trust.generation.fetch_add(1, Ordering::SeqCst);
    keeper.announce().unwrap();
    assert_eq!(lease.check().unwrap_err().code(), "trust.revoked");
}

#[test]
fn a_serving_side_that_asks_and_does_not_read_ends_its_lease_and_stalls_nobody() {
    let message = Message::new();
    let mut lease = UnixStream::from(message.descriptors[1].try_clone().unwrap());
    let mut renewal = Vec::new();
    write_head(&mut renewal, &"renew").unwrap();
    // It ends when the loading side hangs up.
    let mut asked = 0;
    while lease.write_all(&renewal).is_ok() {
        asked += 1;
        assert!(asked < 1_000_000);
    }
    assert_eq!(message.lease.announce().unwrap_err().code(), "io.system");
}
