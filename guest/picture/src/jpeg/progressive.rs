//! Blocks of progressive scans (T.81, annex G).

use super::bits::Bits;
use super::block::{TOO_LONG, difference};
use super::huffman::{Table, extend};
use super::refusal::Refusal;
use super::zigzag::ZIGZAG;

/// Decodes the upper bits of a DC coefficient.
pub(super) fn dc_first(
    bits: &mut Bits<'_>,
    dc: &Table,
    prediction: &mut i32,
    low: u8,
    block: &mut [i16; 64],
) -> Result<(), Refusal> {
    block[0] = (difference(bits, dc, prediction)? << low) as i16;
    Ok(())
}

/// Decodes one more bit of a DC coefficient.
pub(super) fn dc_refined(bits: &mut Bits<'_>, low: u8, block: &mut [i16; 64]) {
    bits.fill();
    if bits.take(1) == 1 {
        block[0] |= 1 << low;
    }
}

/// Decodes the upper bits of a band of AC coefficients.
pub(super) fn ac_first(
    bits: &mut Bits<'_>,
    ac: &Table,
    end_of_bands: &mut u32,
    [start, end]: [usize; 2],
    low: u8,
    block: &mut [i16; 64],
) -> Result<(), Refusal> {
    if *end_of_bands > 0 {
        *end_of_bands -= 1;
        return Ok(());
    }
    let mut at = start;
    while at <= end {
        bits.fill();
        let (run, number) = match ac.run_and_number(bits) {
            Some((run, number)) => (run, i32::from(number)),
            None => {
                let symbol = ac.symbol(bits)?;
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                if size == 0 {
                    if run != 15 {
                        *end_of_bands = blocks_that_end(bits, run as u32) - 1;
                        break;
                    }
                    at += 16;
                    continue;
                }
                (run, extend(bits.take(size), size))
            }
        };
        at += run;
        if at > end {
            return Err(bits.refuse(TOO_LONG));
        }
        block[usize::from(ZIGZAG[at])] = (number << low) as i16;
        at += 1;
    }
    Ok(())
}

/// Returns how many blocks, this one among them, have nothing more of the band.
fn blocks_that_end(bits: &mut Bits<'_>, size: u32) -> u32 {
    match size {
        0 => 1,
        _ => (1 << size) + bits.take(size),
    }
}

/// Decodes one more bit of the coefficients of a band.
pub(super) fn ac_refined(
    bits: &mut Bits<'_>,
    ac: &Table,
    end_of_bands: &mut u32,
    [start, end]: [usize; 2],
    low: u8,
    block: &mut [i16; 64],
) -> Result<(), Refusal> {
    let one = 1_i16 << low;
    let mut at = start;
    if *end_of_bands == 0 {
        while at <= end {
            bits.fill();
            let symbol = ac.symbol(bits)?;
            let (mut run, size) = (symbol >> 4, symbol & 15);
            let mut new = 0;
            match (size, run) {
                (0, 15) => {}
                (0, _) => {
                    *end_of_bands = blocks_that_end(bits, u32::from(run));
                    break;
                }
                (1, _) => new = if bits.take(1) == 1 { one } else { -one },
                _ => {
                    return Err(bits.refuse(Refusal::Broken("a correction of more than one bit")));
                }
            }
            // Past coefficients that are known to be no zeros, and as many zeros as the run says.
            while at <= end {
                let coefficient = &mut block[usize::from(ZIGZAG[at])];
                if *coefficient != 0 {
                    correct(bits, coefficient, one);
                } else if run == 0 {
                    *coefficient = new;
                    break;
                } else {
                    run -= 1;
                }
                at += 1;
            }
            if at > end && new != 0 {
                return Err(bits.refuse(TOO_LONG));
            }
            at += 1;
        }
    }
    if *end_of_bands > 0 {
        for &place in ZIGZAG.get(at..=end).unwrap_or_default() {
            let coefficient = &mut block[usize::from(place)];
            if *coefficient != 0 {
                correct(bits, coefficient, one);
            }
        }
        *end_of_bands -= 1;
    }
    Ok(())
}

/// Takes the next bit of a coefficient that is no zero, away from zero.
fn correct(bits: &mut Bits<'_>, coefficient: &mut i16, one: i16) {
    bits.fill();
    if bits.take(1) == 1 && *coefficient & one == 0 {
        let step = if *coefficient > 0 { one } else { -one };
        *coefficient = coefficient.wrapping_add(step);
    }
}
