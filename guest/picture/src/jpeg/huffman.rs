//! Huffman tables (T.81, annex C and F.2.2.3).

use super::bits::Bits;
use super::refusal::Refusal;

/// Bits that one look into a table decodes; most codes are no longer.
const LOOK: u32 = 10;

/// Uses of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Dc,
    Ac,
}

/// A table that is ready to decode.
pub(super) struct Table {
    /// For the next [`LOOK`] bits: a code's length in the upper byte and its symbol in the lower; 0 where
    /// the code is longer.
    short: Box<[u16; 1 << LOOK]>,
    /// For the next [`LOOK`] bits: the number that follows the code, when both fit, above the run of zeros
    /// before the number (8 bits) and the bits of code and number together (8 bits); 0 otherwise.
    whole: Box<[i32; 1 << LOOK]>,
    /// One more than the last code of each length, moved up to 16 bits; 0 where there is none.
    ends: [u32; 17],
    /// Differences between the index of a symbol and its code, for each length.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

impl Table {
    /// Makes a table of the numbers of codes of 1 to 16 bits and their symbols. None where these do not fit, or a
    /// symbol cannot occur.
    pub(super) fn new(class: Class, counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: Box::new([0; 1 << LOOK]),
            whole: Box::new([0; 1 << LOOK]),
            ends: [0; 17],
            offsets: [0; 17],
            symbols: [0; 256],
        };
        table
            .symbols
            .get_mut(..symbols.len())?
            .copy_from_slice(symbols);
        if class == Class::Dc && symbols.iter().any(|&symbol| symbol > 15) {
            return None;
        }
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            let count = usize::from(count);
            table.offsets[length as usize] = index as i32 - code as i32;
            for &symbol in symbols.get(index..index + count)? {
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    let same = table.short.get_mut(first..first + (1 << (LOOK - length)))?;
                    same.fill((length as u16) << 8 | u16::from(symbol));
                }
                code += 1;
            }
            index += count;
            if code > 1 << length {
                return None;
            }
            if count > 0 {
                table.ends[length as usize] = code << (16 - length);
            }
            code <<= 1;
        }
        if class == Class::Ac {
            table.join_numbers();
        }
        Some(table)
    }

    /// Fills `whole`.
    fn join_numbers(&mut self) {
        for (bits, (whole, &short)) in self.whole.iter_mut().zip(self.short.iter()).enumerate() {
            let (length, symbol) = (u32::from(short >> 8), u32::from(short & 255));
            let (run, size) = (symbol >> 4, symbol & 15);
            if length == 0 || size == 0 || length + size > LOOK {
                continue;
            }
            let number = (bits as u32 >> (LOOK - length - size)) & ((1 << size) - 1);
            *whole = extend(number, size) << 16 | (run << 8 | (length + size)) as i32;
        }
    }

    /// Returns a number that is stored with its code in few bits: the run of zeros before it and the number. None
    /// where [`Table::symbol`] has to be asked.
    #[inline(always)]
    pub(super) fn run_and_number(&self, bits: &mut Bits<'_>) -> Option<(usize, i16)> {
        let whole = self.whole[bits.peek(LOOK) as usize];
        if whole == 0 {
            return None;
        }
        bits.skip((whole & 255) as u32);
        Some(((whole >> 8 & 255) as usize, (whole >> 16) as i16))
    }

    /// Returns the next symbol. The caller has loaded 16 bits.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Refusal> {
        let short = self.short[bits.peek(LOOK) as usize];
        if short != 0 {
            bits.skip(u32::from(short >> 8));
            return Ok(short as u8);
        }
        self.long_symbol(bits)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Refusal> {
        let next = bits.peek(16);
        for length in LOOK + 1..=16 {
            if next < self.ends[length as usize] {
                bits.skip(length);
                let code = (next >> (16 - length)) as i32;
                let index = code.wrapping_add(self.offsets[length as usize]);
                let symbol = self.symbols.get(index as usize);
                return symbol.copied().ok_or(BAD_CODE);
            }
        }
        Err(bits.refuse(BAD_CODE))
    }
}

const BAD_CODE: Refusal = Refusal::Broken("a code that its Huffman table lacks");

/// Gives a number of `size` bits, 1 to 15, its sign (T.81, figure F.12).
#[inline(always)]
pub(super) fn extend(number: u32, size: u32) -> i32 {
    let number = number as i32;
    if number < 1 << (size - 1) {
        number - (1 << size) + 1
    } else {
        number
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn counts(all: &[(usize, u8)]) -> [u8; 16] {
        let mut counts = [0; 16];
        for &(length, count) in all {
            counts[length - 1] = count;
        }
        counts
    }

    #[test]
    fn a_table_with_more_codes_than_there_are_is_refused() {
        let symbols = [1; 256];
        for (all, is_taken) in [
            (&[(1, 2)][..], true),
            (&[(1, 3)], false),
            (&[(1, 1), (2, 2)], true),
            (&[(1, 1), (2, 3)], false),
            (&[(1, 2), (16, 1)], false),
            (&[(15, 1), (16, 255)], true),
            (&[], true),
        ] {
            let total = all.iter().map(|&(_, count)| usize::from(count)).sum();
            let table = Table::new(Class::Ac, &counts(all), &symbols[..total]);
            assert_eq!(table.is_some(), is_taken, "{all:?}");
        }
        // Fewer symbols than codes, more than there can be, and one that no DC coefficient has.
        assert!(Table::new(Class::Ac, &counts(&[(2, 3)]), &[1, 2]).is_none());
        assert!(Table::new(Class::Ac, &counts(&[(16, 255)]), &[1; 257]).is_none());
        assert!(Table::new(Class::Dc, &counts(&[(2, 1)]), &[16]).is_none());
    }

    #[test]
    fn codes_of_every_length_are_told_apart() {
        // One code of each length: 0, 10, 110, and so on, whose symbol is its length.
        let symbols: Vec<u8> = (1..=16).collect();
        let table = Table::new(Class::Ac, &[1; 16], &symbols).unwrap();
        for length in 1..=16_u8 {
            let code = (0xffff_u32 << (17 - u32::from(length)) & 0xffff) as u16;
            // 0xff is followed by a stuffed 0.
            let mut data = Vec::new();
            for byte in code.to_be_bytes() {
                data.push(byte);
                data.extend((byte == 0xff).then_some(0));
            }
            let mut bits = Bits::new(&data);
            bits.fill();
            assert_eq!(table.symbol(&mut bits), Ok(length));
        }
        let mut bits = Bits::new(b"\xff\0\xff\0\xff\0");
        bits.fill();
        assert_eq!(table.symbol(&mut bits), Err(BAD_CODE));
    }

    #[test]
    fn a_number_beside_its_code_is_the_one_that_two_steps_give() {
        // A code of 2 bits for each size of 1 to 3, after a run of as many zeros.
        let table = Table::new(Class::Ac, &counts(&[(2, 3)]), &[0x11, 0x22, 0x33]).unwrap();
        for data in 0..=0xbf_u8 {
            let data = [data, 0x55, 0x55];
            let (mut whole, mut steps) = (Bits::new(&data), Bits::new(&data));
            whole.fill();
            steps.fill();
            let symbol = table.symbol(&mut steps).unwrap();
            let size = u32::from(symbol & 15);
            let number = extend(steps.take(size), size);
            let expected = Some((usize::from(symbol >> 4), number as i16));
            assert_eq!(table.run_and_number(&mut whole), expected);
            assert_eq!(whole.peek(8), steps.peek(8));
        }
    }
}
