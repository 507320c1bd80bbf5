//! Blocks of sequential scans (T.81, F.2.2).

use super::bits::Bits;
use super::huffman::{Table, extend};
use super::refusal::Refusal;
use super::zigzag::ZIGZAG;

/// More coefficients than a block has.
pub(super) const TOO_LONG: Refusal = Refusal::Broken("a block of more than 64 coefficients");

/// Decodes one block into `block`, whose coefficients are 0.
#[inline]
pub(super) fn sequential(
    bits: &mut Bits<'_>,
    dc: &Table,
    ac: &Table,
    prediction: &mut i32,
    block: &mut [i16; 64],
) -> Result<(), Refusal> {
    block[0] = difference(bits, dc, prediction)? as i16;
    let mut at = 1;
    while at < 64 {
        bits.fill();
        let (run, number) = match ac.run_and_number(bits) {
            Some(found) => found,
            None => {
                let symbol = ac.symbol(bits)?;
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                if size == 0 {
                    if run != 15 {
                        break;
                    }
                    at += 16;
                    continue;
                }
                (run, extend(bits.take(size), size) as i16)
            }
        };
        at += run;
        let Some(&place) = ZIGZAG.get(at) else {
            return Err(bits.refuse(TOO_LONG));
        };
        block[usize::from(place & 63)] = number;
        at += 1;
    }
    Ok(())
}

/// Decodes a DC coefficient, which is stored as a difference to the last one.
#[inline(always)]
pub(super) fn difference(
    bits: &mut Bits<'_>,
    dc: &Table,
    prediction: &mut i32,
) -> Result<i32, Refusal> {
    bits.fill();
    let size = u32::from(dc.symbol(bits)?);
    if size > 0 {
        let difference = extend(bits.take(size), size);
        *prediction = prediction.wrapping_add(difference);
    }
    Ok(*prediction)
}
