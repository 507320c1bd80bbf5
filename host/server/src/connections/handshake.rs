//! The handshake of TLS, in the time that a first request's head has.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::connections::bare::Refuser;
use crate::connections::progress::Progress;
use crate::connections::settings::REFUSAL_TIME;
use crate::connections::stream::Stream;
use crate::connections::wire::Wire;
use crate::error::ApiError;

/// Kind of the record that a handshake begins with (RFC 8446, section 5.1). No request by HTTP begins with such a byte.
const HANDSHAKE: u8 = 22;

/// Bytes that a connection keeps encrypted for a client that takes none. A record has 16 KiB.
const KEPT_BYTES: usize = 32 << 10;

/// Waits for a handshake. Returns `None` where it fails. A client that speaks HTTP without TLS is told so.
pub(super) async fn shake_hands(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    progress: &Arc<Progress>,
    refuser: &Refuser,
) -> Option<Stream> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first != [HANDSHAKE] {
        refuse_plain(Stream::Plain(stream), progress, refuser).await;
        return None;
    }
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let accepted = acceptor.accept_with(stream, |connection| {
        connection.set_buffer_limit(Some(KEPT_BYTES));
    });
    match accepted.await {
        Ok(stream) => Some(Stream::tls(stream)),
        Err(error) => {
            tracing::debug!(target: "ampoule::tls", peer = %refuser.peer, %error, "a handshake failed");
            None
        }
    }
}

async fn refuse_plain(mut stream: Stream, progress: &Arc<Progress>, refuser: &Refuser) {
    if stream.learn_family(progress).await {
        progress.leave_unread();
        let mut wire = Wire::new(stream, Arc::clone(progress), refuser.clone());
        wire.refuse(&ApiError::plain_http());
        let _ = tokio::time::timeout(REFUSAL_TIME, wire.close()).await;
    }
}
