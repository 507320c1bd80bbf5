//! The bits of a scan's data: without the zeros that are stuffed after 0xff, up to the next marker.

use super::marker_code::next_marker;
use super::refusal::Refusal;

/// A scan's data, read bit by bit. Zeros without end follow the last bit; [`Bits::check`] fails once some of them
/// were used.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    buffer: u64,
    /// Bits of the buffer that are real; negative when there were not enough.
    left: i32,
    /// True once reading has come to a marker, or to the end of the file.
    ended: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            buffer: 0,
            left: 0,
            ended: false,
        }
    }

    /// Returns the data after the bytes that have been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.data[self.at..]
    }

    /// Loads 32 bits at least, as long as there are any.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.left < 32 && !self.ended {
            self.refill();
        }
    }

    #[inline]
    fn refill(&mut self) {
        if let Some(next) = self.data.get(self.at..).and_then(<[u8]>::first_chunk) {
            let next = u64::from_be_bytes(*next);
            // The lowest of these bits that is set belongs to the last byte that is 0xff.
            let full = (!next).wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080;
            if full == 0 {
                self.buffer |= next >> self.left;
                let bytes = (63 - self.left) >> 3;
                self.at += bytes as usize;
                self.left += 8 * bytes;
                return;
            }
        }
        self.refill_slowly();
    }

    fn refill_slowly(&mut self) {
        while self.left <= 56 {
            let Some(&byte) = self.data.get(self.at) else {
                self.ended = true;
                return;
            };
            let mut next = self.at + 1;
            if byte == 0xff {
                while self.data.get(next) == Some(&0xff) {
                    next += 1;
                }
                if self.data.get(next) != Some(&0) {
                    self.ended = true;
                    return;
                }
                next += 1;
            }
            self.buffer |= u64::from(byte) << (56 - self.left);
            self.left += 8;
            self.at = next;
        }
    }

    /// Returns the next 1 to 16 bits and leaves them.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.left -= count as i32;
    }

    /// Takes 1 to 16 bits, which the caller has loaded.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Refuses a scan that went on after its data ended.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.left < 0 {
            return Err(Refusal::CutShort);
        }
        Ok(())
    }

    /// Returns the reason for which data makes no sense: its end, or `other`.
    pub(super) fn refuse(&self, other: Refusal) -> Refusal {
        match self.ended && self.left < 16 {
            true => Refusal::CutShort,
            false => other,
        }
    }

    /// Continues after the restart marker of that number, 0 to 7.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Refusal> {
        self.check()?;
        let (code, rest) = next_marker(self.rest()).ok_or(Refusal::CutShort)?;
        match code {
            0xd0..=0xd7 if usize::from(code - 0xd0) == number => {}
            0xd9 => return Err(Refusal::CutShort),
            _ => return Err(Refusal::Broken("a restart marker out of its order")),
        }
        *self = Self::new(rest);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// All whole bytes that are read before the data ends.
    fn bytes(data: &[u8]) -> (Vec<u8>, usize) {
        let mut bits = Bits::new(data);
        let mut bytes = Vec::new();
        loop {
            bits.fill();
            let byte = bits.take(8) as u8;
            if bits.check().is_err() {
                return (bytes, bits.rest().len());
            }
            bytes.push(byte);
        }
    }

    #[test]
    fn stuffed_zeros_are_left_out_and_markers_end_the_data() {
        for at in 0..20 {
            let before: Vec<u8> = (1..=at).collect();
            for (data, expected, rest) in [
                (&b"\xff\0\x07"[..], &b"\xff\x07"[..], 0),
                (b"\xff\xff\xff\0\x07", b"\xff\x07", 0),
                (b"\x05\xff\xd9\x07\x07", b"\x05", 4),
                (
                    b"\x05\xff\xff\xda\x07\x07\x07\x07\x07\x07\x07\x07",
                    b"\x05",
                    11,
                ),
                (b"\xff", b"", 1),
                (b"\xff\xff", b"", 2),
                (
                    b"\x05\x80\xfe\x7f\x01\0\0\x80\xfe",
                    b"\x05\x80\xfe\x7f\x01\0\0\x80\xfe",
                    0,
                ),
            ] {
                let expected = [&before, expected].concat();
                assert_eq!(bytes(&[&before, data].concat()), (expected, rest), "{at}");
            }
        }
    }

    #[test]
    fn a_restart_comes_at_its_own_marker_only() {
        let data = b"\x05\xff\xff\xd3\x09";
        let mut bits = Bits::new(data);
        bits.restart(3).unwrap();
        bits.fill();
        assert_eq!(bits.take(8), 9);
        for number in [0, 2, 4, 7] {
            assert!(Bits::new(data).restart(number).is_err());
        }
        for ended in [&b"\x05"[..], b"\x05\xff", b"\x05\xff\xd9"] {
            assert_eq!(Bits::new(ended).restart(3), Err(Refusal::CutShort));
        }
        // Bits beyond the data were taken before.
        let mut bits = Bits::new(data);
        bits.fill();
        bits.skip(9);
        assert_eq!(bits.restart(3), Err(Refusal::CutShort));
    }
}
