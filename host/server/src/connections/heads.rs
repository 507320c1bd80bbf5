//! Heads among the frames of HTTP/2 (RFC 9113, section 4.1), so that one which arrives slowly has its time.

/// Bytes that a client begins with.
const PREFACE: usize = 24;
/// Bytes before each frame's payload.
const FRAME_HEAD: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// A reader of frames that looks at nothing but their lengths and kinds.
#[derive(Debug)]
pub(super) struct Heads {
    preface: usize,
    head: [u8; FRAME_HEAD],
    /// Bytes of `head` that have come.
    known: usize,
    /// Bytes of the payload that are to come.
    payload: usize,
    is_arriving: bool,
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            preface: PREFACE,
            head: [0; FRAME_HEAD],
            known: 0,
            payload: 0,
            is_arriving: false,
        }
    }
}

impl Heads {
    /// Reads the next bytes of a connection. Returns true while a request's head, or its trailers, are not whole.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> bool {
        bytes = skip(bytes, &mut self.preface);
        while !bytes.is_empty() {
            if self.known < FRAME_HEAD {
                let (now, rest) = bytes.split_at(bytes.len().min(FRAME_HEAD - self.known));
                let places = self.head.iter_mut().skip(self.known);
                places.zip(now).for_each(|(place, byte)| *place = *byte);
                self.known += now.len();
                bytes = rest;
                if self.known < FRAME_HEAD {
                    break;
                }
                let [a, b, c, ..] = self.head;
                self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.is_arriving |= self.is_head();
            }
            bytes = skip(bytes, &mut self.payload);
            if self.payload == 0 {
                let [_, _, _, _, flags, ..] = self.head;
                if self.is_head() && flags & END_HEADERS != 0 {
                    self.is_arriving = false;
                }
                self.known = 0;
            }
        }
        self.is_arriving
    }

    fn is_head(&self) -> bool {
        let [_, _, _, kind, ..] = self.head;
        matches!(kind, HEADERS | CONTINUATION)
    }
}

/// Takes bytes away, as far as there are some of them to come.
fn skip<'b>(bytes: &'b [u8], left: &mut usize) -> &'b [u8] {
    let now = bytes.len().min(*left);
    *left -= now;
    bytes.get(now..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap_or_default();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn a_head_is_arriving_from_its_first_frame_to_the_last_byte_of_its_last() {
        let mut stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        stream.extend(frame(4, 0, &[]));
        stream.extend(frame(0, 0, b"data"));
        let begins = stream.len() + FRAME_HEAD;
        stream.extend(frame(HEADERS, 0, b"abc"));
        stream.extend(frame(CONTINUATION, 0, &[]));
        stream.extend(frame(CONTINUATION, END_HEADERS, b"def"));
        let ends = stream.len();
        stream.extend(frame(0, 1, b"data"));
        stream.extend(frame(HEADERS, END_HEADERS, &[]));
        for piece in [1, 2, 7, 1_000] {
            let mut heads = Heads::default();
            let mut read = 0;
            for bytes in stream.chunks(piece) {
                read += bytes.len();
                let expected = (begins..ends).contains(&read);
                assert_eq!(heads.read(bytes), expected, "{read} in pieces of {piece}");
            }
        }
    }
}
