//! Bytes as sizes and numbers. A few bytes make a large matrix: its numbers repeat, each time a little changed,
//! so that none is at home in two places of a tile.

/// Numbers that stand for themselves, anywhere.
const MOST_EXCEPTIONS: u8 = 4;

/// The rest of an input. Beyond its end all bytes are 0.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

/// A number that is put into one of the matrices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exception {
    pub(super) matrix: u8,
    pub(super) index: usize,
    pub(super) number: f32,
}

impl Input<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_off_first() {
            Some(&byte) => byte,
            None => 0,
        }
    }

    /// A size up to `most`: small ones more often than large ones, and 0 for 0 only.
    pub(super) fn size(&mut self, most: usize) -> usize {
        match u64::from(u16::from_le_bytes([self.byte(), self.byte()])) {
            0 => 0,
            share => 1 + (share.pow(3) * (most as u64 - 1) / 65_535_u64.pow(3)) as usize,
        }
    }

    pub(super) fn exceptions(&mut self) -> Vec<Exception> {
        (0..self.byte() % MOST_EXCEPTIONS)
            .map(|_| Exception {
                matrix: self.byte(),
                index: usize::from(u16::from_le_bytes([self.byte(), self.byte()])),
                number: f32::from_bits(u32::from_le_bytes([0; 4].map(|_: u8| self.byte()))),
            })
            .collect()
    }

    /// All that is left, as numbers.
    pub(super) fn numbers(self, kind: u8, exceptions: Vec<Exception>) -> Numbers {
        Numbers {
            bytes: if self.0.is_empty() {
                vec![29]
            } else {
                self.0.to_vec()
            },
            kind: kind % 4,
            exceptions,
            taken: 0,
        }
    }
}

/// An endless row of numbers.
pub(super) struct Numbers {
    bytes: Vec<u8>,
    kind: u8,
    exceptions: Vec<Exception>,
    taken: usize,
}

impl Numbers {
    /// The numbers of a matrix.
    pub(super) fn matrix(&mut self, matrix: u8, count: usize) -> Vec<f32> {
        let mut numbers: Vec<f32> = (0..count).map(|_| self.next()).collect();
        let exceptions = self.exceptions.iter();
        for exception in exceptions.filter(|exception| exception.matrix % 4 == matrix) {
            if count > 0 {
                numbers[exception.index % count] = exception.number;
            }
        }
        numbers
    }

    fn next(&mut self) -> f32 {
        match self.kind {
            // From −2 to 2.
            0 | 1 => f32::from(self.signed()) / 64.0,
            // Of very different sizes.
            2 => f32::from(self.signed()) * f32::from(self.signed() >> 3).exp2(),
            // Any bits.
            _ => f32::from_bits(u32::from_le_bytes([0; 4].map(|_: u8| self.signed() as u8))),
        }
    }

    fn signed(&mut self) -> i8 {
        let (turn, place) = (self.taken / self.bytes.len(), self.taken % self.bytes.len());
        self.taken += 1;
        self.bytes[place].wrapping_add((turn as u8).wrapping_mul(157)) as i8
    }
}
