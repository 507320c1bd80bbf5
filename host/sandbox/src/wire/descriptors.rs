//! Bytes with file descriptors among them (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send, sendmsg,
};

use super::head::malformed;

/// The most descriptors of one message.
pub(super) const MAX_DESCRIPTORS: usize = 3;

/// Sends bytes, with descriptors on the first of them. There has to be at least one byte.
pub(super) fn send_with(
    socket: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(malformed("too many descriptors"));
    }
    let sent = retry_on_intr(|| {
        let bytes = [IoSlice::new(bytes)];
        sendmsg(socket, &bytes, &mut control, SendFlags::NOSIGNAL)
    })?;
    let mut rest = bytes.get(sent..).unwrap_or_default();
    while !rest.is_empty() {
        let sent = retry_on_intr(|| send(socket, rest, SendFlags::NOSIGNAL))?;
        rest = rest.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Reads from a socket, and keeps the descriptors that come along.
pub(super) struct DescriptorReader<'s> {
    socket: &'s UnixStream,
    descriptors: Vec<OwnedFd>,
}

impl<'s> DescriptorReader<'s> {
    pub(super) fn new(socket: &'s UnixStream) -> Self {
        Self {
            socket,
            descriptors: Vec::new(),
        }
    }

    pub(super) fn into_descriptors(self) -> Vec<OwnedFd> {
        self.descriptors
    }
}

impl Read for DescriptorReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            let mut into = [IoSliceMut::new(buffer)];
            recvmsg(
                self.socket,
                &mut into,
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        })?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        // The system closes those for which there was no room.
        if received.flags.contains(ReturnFlags::CTRUNC) || self.descriptors.len() > MAX_DESCRIPTORS
        {
            return Err(malformed(format!(
                "more than {MAX_DESCRIPTORS} descriptors came with it"
            )));
        }
        Ok(received.bytes)
    }
}
